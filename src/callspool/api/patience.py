"""uvicorn's protocol, which waits only so long for a client to ask and to read: uvicorn itself waits for ever.

`api.bodies` has the bounds of what comes after the head.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callspool.playback.serving import SEND_TIME

HEAD_TIME_S: Final = 10.0
SEND_TIME_S: Final = SEND_TIME.total_seconds()
"""The longest that one write may lie here because the client does not read."""


class PatientProtocol(HttpToolsProtocol):
    """Ends a connection on which a request was begun, or none ever, and whose head did not come in time; and one
    whose client does not take what it asked for, whoever wrote it and whether more is to come.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._giving_up: asyncio.TimerHandle | None = None
        self._letting_go: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # the last bytes that nobody takes are to be seen as well
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Begin to wait where no request is under way."""
        if self._giving_up is None and self.cycle is not None and self.cycle.response_complete:
            self._wait()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """It came."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing to wait for."""
        self._stop_waiting()
        self._is_taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client, which has not taken all at once."""
        super().pause_writing()
        self._letting_go = self._letting_go or self.loop.call_later(SEND_TIME_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken all."""
        self._is_taken()
        super().resume_writing()

    def _is_taken(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None

    def _wait(self) -> None:
        self._giving_up = self.loop.call_later(HEAD_TIME_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    def _give_up(self) -> None:
        self._giving_up = None
        self.transport.close()
