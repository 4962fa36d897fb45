"""nginx with one worker, as its own documentation would have it serve files: sendfile, kept connections, no log."""

import getpass
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.run import DidNotRun, last_line
from benchmarks.servers import Unavailable, ends_with_parent

MISSING: Final = "nginx is not installed here (on Debian: apt-get install nginx)"
_TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_CONFIG: Final = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; types {{ audio/wav wav; }}
  {temporary}
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def title() -> str:
    """Return its name and version."""
    program = shutil.which("nginx")
    if program is None:
        return "nginx"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/([0-9.]+)", said)
    return f"nginx {found[1]}" if found else "nginx"


@contextmanager
def serving(root: Path) -> Iterator[tuple[int, int]]:
    """Serve the files of *root*; give process id and port. Raises `Unavailable` where there is no nginx."""
    program = shutil.which("nginx")
    if program is None:
        raise Unavailable(MISSING)
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as name, tempfile.TemporaryFile("w+") as log:
        folder, port, me = Path(name), _free_port(), getpass.getuser()
        config = folder / "nginx.conf"
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY)
        user = "user root;" if me == "root" else ""
        config.write_text(_CONFIG.format(folder=folder, port=port, root=root, user=user, temporary=temporary))
        process = subprocess.Popen(
            [program, "-e", "stderr", "-p", folder, "-c", config],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=ends_with_parent(),  # noqa: PLW1509 - it makes one system call
        )
        try:
            if not _is_ready(process, port):
                log.seek(0)
                raise DidNotRun(f"nginx did not start: {last_line(log.read())}")
            yield process.pid, port
        finally:
            process.terminate()  # its worker ends with it
            process.wait()


def _is_ready(process: "subprocess.Popen[bytes]", port: int) -> bool:
    for _ in range(250):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            return False
        return True
    return False


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
