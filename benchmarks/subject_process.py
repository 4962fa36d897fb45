"""The process of a subject: it prepares, submits or works, and nothing else of the benchmark runs in it."""

import argparse
import ctypes
import signal
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.journal import Journal
from benchmarks.subject import SUBJECTS, Setting, Subject
from benchmarks.workload import workload

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do one action; print how many seconds it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subject", choices=sorted(SUBJECTS))
    parser.add_argument("action", choices=["submit", "submit-singly", "work"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--seats", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    _end_with_parent()
    setting = Setting(given.url, workload(given.workload, given.seats), given.folder)
    # All on the loop that callspool's own processes have.
    uvloop.run(_act(SUBJECTS[given.subject].load(setting), given.action, setting))


async def _act(subject: Subject, action: str, setting: Setting) -> None:
    if action == "work":
        await subject.work(Journal(setting.folder))
        return
    await subject.prepare()
    begun = time.perf_counter()
    await (subject.submit() if action == "submit" else subject.submit_singly())
    print(time.perf_counter() - begun)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
