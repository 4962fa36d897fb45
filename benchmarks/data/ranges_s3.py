"""How many 64 KB ranges of a recording in a bucket does one API process serve, beside the storage itself?

Each range is one request to the storage, on this same machine. The storage is also asked directly, by an address that
was signed beforehand.
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.data import files, seaweed
from benchmarks.data.installation import installation
from benchmarks.data.ranges import SECONDS, played
from benchmarks.data.turns import Contender, in_turns, ratio, shown
from benchmarks.experiment import Context, Experiment
from benchmarks.result import OURS, Figure
from benchmarks.servers import Unavailable

_STORAGE: Final = "storage"


def _measure(context: Context) -> list[Figure]:
    count = 500 if context.options.quick else 3_000
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-bench-")))
        file, pids = files.wav_file(folder / "call.wav", SECONDS), []
        try:
            pid, port = stack.enter_context(seaweed.storing())
        except Unavailable as missing:
            contenders = [Contender(OURS, OURS, dict, str(missing)), Contender(_STORAGE, _STORAGE, dict, str(missing))]
        else:
            given = {
                "vault_url": f"s3://{seaweed.BUCKET}?endpoint=http://127.0.0.1:{port}",
                "vault_access_key": seaweed.ACCESS_KEY,
                "vault_secret_key": seaweed.SECRET_KEY,
            }
            one = stack.enter_context(installation(folder, more=given))
            path, pids = one.keep(file), [pid, *one.pids]
            signed = urlsplit(one.presigned())

            def ours() -> Mapping[str, float]:
                return played(one.port, path, file, count)

            def storage() -> Mapping[str, float]:
                return played(port, f"{signed.path}?{signed.query}", file, count)

            contenders = [Contender(OURS, OURS, ours), Contender(_STORAGE, "SeaweedFS itself", storage)]
        runs = context.options.runs or (1 if context.options.quick else 5)
        turns = in_turns(context, "ranges from object storage", contenders, runs=runs, needs_s=8, servers=pids)
    return [
        *shown("ranges-s3.rate", "rate", "/s", turns),
        *ratio("ranges-s3.of_storage", "rate", turns, _STORAGE, None),
        *shown("ranges-s3.whole", "whole", "MB/s", turns),
    ]


RANGES_S3: Final = Experiment(
    "ranges-s3",
    {
        "ranges-s3.rate": "64 KB ranges from object storage: rate",
        "ranges-s3.of_storage": "64 KB ranges from object storage: rate / the storage's own",
        "ranges-s3.whole": "the whole of a recording from object storage: rate",
    },
    _measure,
)
