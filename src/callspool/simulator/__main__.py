"""Run the simulator as a process of its own: ``python -m callspool.simulator --port 0 --json``.

It prints one line when it is ready, and ends on SIGTERM, on Ctrl-C or, if asked to, when its input ends: so it
cannot outlive the program that started it.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence

from callspool.simulator.faults import CallbackFault, Fault
from callspool.simulator.server import Simulator


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m callspool.simulator", description="A simulated provider.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (it knows no credentials of its own)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--seed", type=int, default=0, help="the same seed makes the same calls and faults")
    parser.add_argument("--rate", type=float, help="bytes a second of each download")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="until the first byte")
    parser.add_argument("--fault", action="append", default=[], metavar="FAULT=RATE", help="such as 429:3:2=0.05")
    parser.add_argument("--callback-fault", action="append", default=[], metavar="FAULT=RATE", help="such as lost=0.1")
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when the standard input ends")
    given = parser.parse_args(arguments)
    try:
        simulator = Simulator(
            host=given.host,
            port=given.port,
            seed=given.seed,
            rate=given.rate,
            latency_s=given.latency,
            fault_rates={Fault.parse(text): rate for text, rate in map(_split_rate, given.fault)},
            callback_fault_rates={
                CallbackFault.parse(text): rate for text, rate in map(_split_rate, given.callback_fault)
            },
        )
    except ValueError as error:
        parser.error(str(error))
    asyncio.run(_run(simulator, as_json=given.json, end_with_stdin=given.end_with_stdin))


async def _run(simulator: Simulator, *, as_json: bool, end_with_stdin: bool) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if end_with_stdin:
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else ended.set())
    async with simulator:
        ready = {"url": simulator.url, "second_origin": simulator.second_origin}
        sys.stdout.write((json.dumps(ready) if as_json else simulator.url) + "\n")
        sys.stdout.flush()
        await ended.wait()


def _split_rate(text: str) -> tuple[str, float]:
    fault, _, rate = text.rpartition("=")
    try:
        return fault, float(rate)
    except ValueError:
        raise ValueError(f"{text!r}: write a fault, =, and a rate, such as 429:3:2=0.05") from None


if __name__ == "__main__":
    main()
