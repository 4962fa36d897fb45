"""A provider that is as fast as the machine: it sends one file, by the kernel, and knows nothing else.

An address names its own size: the last 16 hex digits of the recording's id. What is longer than the file is the
file again and again. With ``--rate`` it is as slow as a real provider, and with ``--first-byte`` as late.
"""

import argparse
import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SIZE: Final = re.compile(rb"GET /\S*?RE[0-9a-f]{16}([0-9a-f]{16})\.")
_PACE_S: Final = 0.01
"""A slow provider sends a piece that often."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What it sends, and how."""

    file: int
    file_size: int
    first_byte_s: float
    rate: float


def main() -> None:
    """Serve until killed; print the port first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--first-byte", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=0.0, metavar="BYTES", help="a second; 0: as fast as it goes")
    given = parser.parse_args()
    file = os.open(given.file, os.O_RDONLY)
    manner = Manner(file, os.fstat(file).st_size, given.first_byte, given.rate)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, manner), daemon=True).start()


def _serve(connection: socket.socket, manner: Manner) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while head := _read_head(connection):
                _answer(connection, head, manner)
        except OSError:
            pass  # who asked went away


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(8192)
        if not part:
            return b""
        head += part
    return head


def _answer(connection: socket.socket, head: bytes, manner: Manner) -> None:
    found = _SIZE.match(head)
    if found is None:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    size = int(found[1], 16)
    time.sleep(manner.first_byte_s)
    head = f'HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {size}\r\nETag: "{size}"\r\n\r\n'.encode()
    connection.sendall(head, socket.MSG_MORE)
    piece = max(1, int(manner.rate * _PACE_S)) if manner.rate else size
    sent, begun = 0, time.monotonic()
    while sent < size:
        at = sent % manner.file_size
        sent += os.sendfile(connection.fileno(), manner.file, at, min(piece, size - sent, manner.file_size - at))
        if manner.rate:
            time.sleep(max(0.0, begun + sent / manner.rate - time.monotonic()))


if __name__ == "__main__":
    main()
