"""``python -m benchmarks [slots] [--quick] [--json]``: runs the measurements."""

import argparse
import asyncio
import json

from benchmarks import slots


def main() -> None:
    """Measure and print one line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", choices=["slots"], default="slots")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    for figure in asyncio.run(slots.measure(runs=1 if given.quick else 5)):
        if given.json:
            print(json.dumps(figure))
        else:
            print(
                "{figure:28} {subject:20} {value:10.3f} {unit:14} ({min:.3f} to {max:.3f}, {runs} runs)".format(
                    **figure
                )
            )


main()
