"""The straight way of a short range from the disk to the socket: no task, no scope, and no copy of its bytes.

A player that seeks, or one that takes a recording in pieces as Safari does, sends the same request again and again
over a connection, and nothing but the two numbers of its `Range` differs. The first such request is looked at
whole: that it comes by a link which allows it, and that no field could make another answer of it. The next ones are
compared with it, for as long as what `api.quick` remembers may be relied on; the kernel sends their bytes from the
file. Everything else, and whatever is to be refused, goes on to the parser and the application: this way knows no
error of its own.
"""

import os
import re
import socket
from dataclasses import dataclass
from typing import Any, Final

from callspool.api.listening import Listener
from callspool.api.patience import PatientProtocol
from callspool.api.quick import Known, Quick
from callspool.domain.errors import CallspoolError
from callspool.domain.ports.vault import LocalVault
from callspool.domain.recording import Kept
from callspool.playback.heard import Heard

MOST: Final = 128 * 1024
"""Bytes: a longer range is sent in pieces, by a task that can wait for its client."""

_REQUEST: Final = re.compile(
    rb"GET /api/recordings/(rec_[0-9a-f]{32})/audio\?token=([A-Za-z0-9._-]{1,320}) HTTP/1\.1\r\n"
    rb"(?:[A-Za-z0-9-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)
"""One whole request without a body. A field of any other form, a folded one among them, is the parser's."""
_DECIDING: Final = re.compile(
    rb"\n(?:authorization|content-length|expect|if-[a-z-]+|origin|te|transfer-encoding|upgrade"
    rb"|connection(?!:[ \t]*keep-alive[ \t]*\r)):"
)
_RANGE: Final = re.compile(rb"\nrange:[ \t]*bytes=")
_FORWARDED: Final = re.compile(rb"\nx-forwarded-for:([^\r]*)\r")
_FROM_TO: Final = re.compile(rb"([0-9]{1,15})-([0-9]{1,15})")


_MORE: Final[int] = getattr(socket, "MSG_MORE", 0)
"""Head and body go out together, where the platform can."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A request that was looked at whole, without its two numbers, and how its answers begin."""

    before: bytes
    after: bytes
    known: Known
    listener: Listener
    head: bytes
    file: int
    """An open descriptor of the recording, of the right size."""


class StraightProtocol(PatientProtocol):
    """uvicorn's protocol, which sees a request before its parser does."""

    def __init__(self, quick: Quick, vault: LocalVault, **given: Any) -> None:
        super().__init__(**given)
        self._quick = quick
        self._vault = vault
        self._shape: Shape | None = None
        self._heard: Heard | None = None
        """What the one who asks in this shape heard."""
        self._socket: socket.socket | None = None
        """Another descriptor of the transport's socket."""
        self._within = False
        """Part of a request is with the parser."""
        self._answered = 0.0
        """When, by the loop's clock, the last straight answer was given."""

    def on_message_begin(self) -> None:
        """Note where a request begins."""
        self._within = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note where it ends."""
        self._within = False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the descriptors back."""
        self._forget()
        if self._socket is not None:
            self._socket.close()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer, or let the parser have it."""
        if self._is_idle() and self._answer(data):
            self._answered = self.loop.time()
        else:
            super().data_received(data)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing was asked for a while: straight answers do not wind the clock."""
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _is_idle(self) -> bool:
        """Say whether a request was answered by the long way before and everything is sent: nothing is overtaken."""
        return (
            not self._within
            and self.cycle is not None
            and self.cycle.response_complete
            and not self.transport.is_closing()
            and not self.transport.get_write_buffer_size()
        )

    def _answer(self, data: bytes) -> bool:
        """Send the range that *data* asks for; False: nothing was sent."""
        shape = self._shape
        if (
            shape is None
            or not data.startswith(shape.before)
            or not data.endswith(shape.after)
            or not self._quick.holds(shape.known)
        ):
            self._forget()
            shape = self._shape = self._look_at(data)
            if shape is None:
                return False
        wanted = _FROM_TO.fullmatch(data, len(shape.before), len(data) - len(shape.after))
        if wanted is None:
            return False
        size = shape.known.kept.size
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, size)
        if not (0 < end - start <= MOST and self._vault.is_at_hand(shape.file, start, end - start)):
            return False
        given = b"content-range: bytes %d-%d/%d\r\ncontent-length: %d\r\n\r\n" % (start, end - 1, size, end - start)
        if self._heard is None or self._heard.is_over:
            self._heard = self._quick.heard(shape.known, shape.listener)
        self._heard.requests += 1
        if self._send(shape.head + given, shape.file, start, end):
            self._heard.add(start, end)
        return True

    def _look_at(self, data: bytes) -> Shape | None:
        """Return the shape of a request that may be answered; None: the long way must say."""
        found = _REQUEST.fullmatch(data)
        lower = data.lower()
        ranges = list(_RANGE.finditer(lower)) if found is not None else []
        if found is None or len(ranges) != 1 or _DECIDING.search(lower) or lower.count(b"\nrange:") != 1:
            return None
        forwarded = [value.decode("latin-1") for value in _FORWARDED.findall(lower)]
        peer = self.client[0] if self.client else None
        allowed = self._quick.by_link(found[1].decode(), found[2].decode(), peer, forwarded)
        if allowed is None:
            return None
        known, listener = allowed
        file = self._open(known.kept)
        if file is None:
            return None
        begin = ranges[0].end()
        own = b"".join(name + b": " + value + b"\r\n" for name, value in self.server_state.default_headers)
        head = b"HTTP/1.1 206 Partial Content\r\n" + own + known.head
        return Shape(data[:begin], data[data.index(b"\r", begin) :], known, listener, head, file)

    def _open(self, kept: Kept) -> int | None:
        """Return a descriptor; None: there is something wrong with the file."""
        try:
            file = self._vault.descriptor(kept.vault_key)
        except CallspoolError:
            return None
        if os.fstat(file).st_size == kept.size:
            return file
        os.close(file)
        return None

    def _forget(self) -> None:
        if self._shape is not None:
            os.close(self._shape.file)
            self._shape = None
            self._heard = None

    def _send(self, head: bytes, file: int, start: int, end: int) -> bool:
        """Give the kernel what it takes at once, and the transport the rest; False: the client is gone."""
        if self._socket is None:
            self._socket = socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno()))
        sent = 0
        try:
            sent = self._socket.send(head, _MORE)
            if sent == len(head):
                start += os.sendfile(self._socket.fileno(), file, start, end - start)
        except BlockingIOError:
            pass  # the client reads slowly
        except OSError:
            self.transport.abort()
            return False
        if sent < len(head) or start < end:
            rest = os.pread(file, end - start, start)
            self.transport.write(head[sent:] + rest)
            if len(rest) < end - start:
                self.transport.abort()  # the length is promised already: nobody shall take a part for the whole
                return False
        return True
