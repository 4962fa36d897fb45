"""How many 64 KB ranges of a recording does one API process serve, and how soon does each begin, beside nginx?

callspool checks a signed link with every request; nginx, with one worker, checks nothing. The same process asks both
the same way (`benchmarks.data.player_process`).
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.data import files, nginx
from benchmarks.data.installation import installation
from benchmarks.data.processes import asked
from benchmarks.data.turns import Contender, in_turns, ratio, shown
from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.result import OURS, Figure
from benchmarks.servers import Unavailable

SECONDS: Final = 300
"""Of the recording: 9.6 MB."""
_NGINX: Final = "nginx"
_AT_ONCE: Final = 16


def _measure(context: Context) -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-bench-")))
        file = files.wav_file(folder / "call.wav", SECONDS)
        one = stack.enter_context(installation(folder))
        path, pids = one.keep(file), list(one.pids)
        count = 4_000 if context.options.quick else 20_000

        def ours() -> Mapping[str, float]:
            return played(one.port, path, file, count)

        contenders = [Contender(OURS, OURS, ours)]
        try:
            pid, port = stack.enter_context(nginx.serving(folder))
        except Unavailable as missing:
            contenders.append(Contender(_NGINX, _NGINX, dict, str(missing)))
        else:
            pids.append(pid)
            contenders.append(Contender(_NGINX, nginx.title(), lambda: played(port, f"/{file.name}", file, count)))
        runs = context.options.runs or (2 if context.options.quick else 9)
        turns = in_turns(context, "ranges", contenders, runs=runs, needs_s=6, servers=pids)
    return [
        *shown("ranges.rate", "rate", "/s", turns),
        *ratio("ranges.of_nginx", "rate", turns, _NGINX, Bar("at least 0.5 x nginx", 0.5, upper=False)),
        *shown("ranges.first_byte", "p50", "ms", turns),
        *shown("ranges.first_byte_p99", "p99", "ms", turns, Bar("at most 5 ms", 5.0)),
        *shown("ranges.whole", "whole", "MB/s", turns),
        *ratio("ranges.whole_of_nginx", "whole", turns, _NGINX, None),
    ]


def played(port: int, path: str, file: Path, count: int) -> Mapping[str, float]:
    """Ask for ranges from several players at once, then from a single one; then for the whole, again and again."""
    given: list[str | Path | int] = ["--port", port, "--path", path, "--file", file]
    player = "benchmarks.data.player_process"
    rate = asked(player, "rate", *given, "--count", count, "--players", _AT_ONCE)
    times = asked(player, "first-byte", *given, "--count", count // 5)
    whole = asked(player, "whole", *given, "--count", max(10, count // 200))
    return {"rate": rate, "p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)], "whole": whole}


RANGES: Final = Experiment(
    "ranges",
    {
        "ranges.rate": "64 KB ranges, 16 players: rate",
        "ranges.of_nginx": "64 KB ranges, 16 players: rate / nginx's",
        "ranges.first_byte": "64 KB ranges, one player: first byte, median",
        "ranges.first_byte_p99": "64 KB ranges, one player: first byte, 99 %",
        "ranges.whole": "the whole of a recording, one player: rate",
        "ranges.whole_of_nginx": "the whole of a recording, one player: rate / nginx's",
    },
    _measure,
)
