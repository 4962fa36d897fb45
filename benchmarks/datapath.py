"""Does a byte go from the provider to the disk, to its proof and to the ear as fast as the machine allows?

What each is measured beside is told in the modules of `benchmarks.data`.
"""

from typing import Final

from benchmarks.data.click import CLICK
from benchmarks.data.download import LARGE, MANY
from benchmarks.data.proof import PROOF
from benchmarks.data.ranges import RANGES
from benchmarks.data.ranges_s3 import RANGES_S3
from benchmarks.experiment import Experiment

EXPERIMENTS: Final[tuple[Experiment, ...]] = (CLICK, RANGES, LARGE, MANY, PROOF, RANGES_S3)
"""What matters most first: a quick run may end before the last."""
SUBJECTS: Final = ("callspool", "provider", "old way", "nginx", "storage", "local file", "curl", "httpx2", "decoding")
