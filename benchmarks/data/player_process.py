"""The process that asks a server for ranges, the same way whoever answers: bare sockets, kept alive.

It must not be the bottleneck. Of each connection the first answer is read and compared with the file; of the others
the head is read, and the kernel throws the body away uncopied (``MSG_TRUNC``).
"""

import argparse
import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RANGE: Final = 64 * 1024
_HEAD: Final = 2048
_SEED: Final = 5


class Player:
    """One connection."""

    def __init__(self, port: int, path: str, file: Path) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(30)
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nRange: bytes="
        self._thrown = bytearray(RANGE)
        self._compare(file)

    def ask(self, offset: int) -> None:
        """Send a request."""
        self._socket.sendall(f"{self._request}{offset}-{offset + RANGE - 1}\r\n\r\n".encode())

    def begin(self, size: int = RANGE) -> bytes:
        """Wait for the answer's head; return what came of the body with it."""
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._part(_HEAD)
        length = b"\r\ncontent-length: %d\r\n" % size
        if not answer.startswith(b"HTTP/1.1 206 ") or length not in answer[: end + 2].lower():
            raise RuntimeError(f"not what was asked for: {answer[:end]!r}")
        return answer[end + 4 :]

    def take_whole(self, size: int) -> None:
        """Ask for all of a file of *size* bytes, and take it."""
        self._socket.sendall(f"{self._request}0-\r\n\r\n".encode())
        self.end(self.begin(size), size)

    def end(self, body: bytes, size: int = RANGE) -> None:
        """Take the rest."""
        left = size - len(body)
        while left:
            count = self._socket.recv_into(self._thrown, min(left, RANGE), socket.MSG_TRUNC)
            if not count:
                raise RuntimeError("the server closed the connection")
            left -= count

    def _part(self, most: int) -> bytes:
        part = self._socket.recv(most)
        if not part:
            raise RuntimeError("the server closed the connection")
        return part

    def _compare(self, file: Path) -> None:
        """Read one answer in full. Raises `RuntimeError` where it is not the file's range."""
        self.ask(0)
        body = self.begin()
        while len(body) < RANGE:
            body += self._part(RANGE)
        with file.open("rb") as original:
            if original.read(RANGE) != body:
                raise RuntimeError("these are not the file's bytes")


def rate(players: list[Player], offsets: Iterator[int], count: int) -> float:
    """Return ranges a second: each player asks again as soon as it has its answer."""
    begun = time.perf_counter()
    for player in players:
        player.ask(next(offsets))
    for number in range(count):
        player = players[number % len(players)]
        player.end(player.begin())
        player.ask(next(offsets))
    took = time.perf_counter() - begun
    for player in players:
        player.end(player.begin())
    return count / took


def first_bytes(player: Player, offsets: Iterator[int], count: int) -> list[float]:
    """Return, for one player alone, the times from request to the first bytes in ms."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        player.ask(next(offsets))
        body = player.begin()
        times.append((time.perf_counter() - begun) * 1000)
        player.end(body)
    return times


def whole(player: Player, size: int, count: int) -> float:
    """Return MB a second: the file from its first byte to its last, one after the other."""
    begun = time.perf_counter()
    for _ in range(count):
        player.take_whole(size)
    return size * count / (time.perf_counter() - begun) / 1e6


def main() -> None:
    """Print the rate, or the sorted times, or how fast whole files come."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["rate", "first-byte", "whole"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--players", type=int, default=16)
    given = parser.parse_args()
    chance, last = random.Random(_SEED), given.file.stat().st_size - RANGE
    offsets = iter(lambda: chance.randrange(last), None)
    if given.what == "rate":
        players = [Player(given.port, given.path, given.file) for _ in range(given.players)]
        told: object = rate(players, offsets, given.count)
    elif given.what == "whole":
        told = whole(Player(given.port, given.path, given.file), given.file.stat().st_size, given.count)
    else:
        told = sorted(first_bytes(Player(given.port, given.path, given.file), offsets, given.count))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
