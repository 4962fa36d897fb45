"""``callspool worker``: claims jobs and fetches recordings."""

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer
from prometheus_client import start_http_server

from callspool.cli.context import Data, read_settings
from callspool.cli.ending import stop_on_signals, stop_with_parent
from callspool.cli.layout import join_layout
from callspool.cli.running import run
from callspool.domain.errors import Misconfigured
from callspool.fetch.outcome import Outcome
from callspool.telemetry import Metrics
from callspool.wiring import open_parts, open_worker


def worker(
    concurrency: Annotated[int | None, typer.Option(min=1, max=1024, help="Most downloads at once.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve Prometheus metrics there, on loopback.")
    ] = None,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
    data: Data = None,
) -> None:
    """Fetch recordings until SIGTERM, then finish or hand back what is running."""
    settings = read_settings(data, **({"concurrency": concurrency} if concurrency else {}))
    # Names of workers are unique for ever: a restarted one must not be taken for its predecessor.
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    metrics = Metrics()
    if metrics_port is not None:
        try:
            start_http_server(metrics_port, "127.0.0.1", metrics.registry)
        except OSError as error:
            raise Misconfigured(
                f"Metrics cannot be served on 127.0.0.1:{metrics_port}: {error.strerror}. Choose another port."
            ) from None

    async def work() -> None:
        async with open_parts(settings) as parts:
            stop = asyncio.Event()
            stop_on_signals(stop)
            if child:
                await stop_with_parent(stop)
            else:
                await join_layout(parts)
            async with open_worker(parts, worker_id, _report if child else _observe(metrics)) as one:
                running = asyncio.create_task(one.run())
                if child:
                    _tell({"waits": True})
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                one.drain()
                await running

    run(work())


def observe(metrics: Metrics, outcome: Outcome) -> None:
    """Count a fetch."""
    metrics.observe_fetch(
        tenant=outcome.tenant_id,
        outcome=outcome.state,
        reason=outcome.reason,
        size=outcome.bytes,
        seconds=outcome.seconds,
        time_to_ready_s=outcome.time_to_ready_s,
    )


def _observe(metrics: Metrics) -> Callable[[Outcome], None]:
    return lambda outcome: observe(metrics, outcome)


def _report(outcome: Outcome) -> None:
    """Tell the parent, which serves the metrics."""
    _tell(asdict(outcome))


def _tell(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
