"""The HTTP server in this process."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Generator
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from callspool.domain.errors import Misconfigured
from callspool.domain.ports.vault import LocalVault

_GRACE_S = 3


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else is started. Raises `Misconfigured` where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise Misconfigured(
            f"Cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or choose another with --port."
        ) from None
    return taken


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: who starts it decides when it stops."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol(app),
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nobody's word is taken for who asks
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self.ready = asyncio.Event()
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.ready.set()

    def stop(self) -> None:
        """Answer what is being answered, then end."""
        self.should_exit = True


def protocol(app: FastAPI) -> Any:
    """Return what makes uvicorn's protocol for a connection: ours, the quick one where files go straight to it."""
    try:
        from callspool.api.patience import PatientProtocol
        from callspool.api.straight import StraightProtocol
    except ImportError:
        return "auto"  # no httptools on this platform
    services = app.state.services
    if not isinstance(services.vault, LocalVault) or not hasattr(os, "sendfile"):
        return PatientProtocol
    return partial(StraightProtocol, app.state.quick, services.vault)


def _is_no_cut(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn says of a stream that is broken off on purpose: ``playback.cut`` says why."""
    return record.msg != "ASGI callable returned without completing response."
