"""The socket: how many may connect, how long each may take, and the end by Ctrl-C.

Owns: uvicorn. Must not know: routes (``app.py``), what is asked or answered. Read before: those.

Whoever connects and is silent, or asks and never reads, holds a file and the memory of its answer.
So connections have a number and times; for the open internet a proxy in front is better at both.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from minengine.engine import Engine
from minengine.errors import RequestError
from minengine.server.app import Service
from minengine.server.worker import Worker

GRACE_S = 5  # that answers under way have to end after Ctrl-C
HEAD_S = 10  # until a new connection has asked something
STALL_S = 60  # that a client may leave an answer unread
EACH_REQUEST = 4  # connections for each request that may wait


class Connection(H11Protocol):
    """One client's; it is closed where there are too many or it takes too long."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self.timer = self.loop.call_later(HEAD_S, self._head_is_due)
        if len(self.connections) > self.config.most_connections:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read what it has got, and the answer waits."""
        self.flow.pause_writing()
        self.timer.cancel()
        self.timer = self.loop.call_later(STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        self.timer.cancel()
        self.flow.resume_writing()

    def _head_is_due(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class Server(uvicorn.Server):
    """``run(sockets=[...])`` answers requests until SIGINT or SIGTERM; then the answers under way
    end, with an error that says so.
    """

    def __init__(
        self, engine: Engine, *, model: str, version: str, api_key: str | None = None,
        n_waiting: int = 64, log: bool = False,
    ) -> None:  # fmt: skip
        self.worker = Worker(engine, n_waiting=n_waiting)
        self.service = Service(self.worker, model=model, api_key=api_key, version=version)
        config = uvicorn.Config(
            self.service.app(), log_level="info" if log else "warning", access_log=log,
            lifespan="off", timeout_graceful_shutdown=GRACE_S, http=Connection, ws="none",
        )  # fmt: skip
        config.most_connections = EACH_REQUEST * n_waiting
        super().__init__(config)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.worker.stop()
        super().handle_exit(sig, frame)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.worker.stop()
            self.worker.join()
            self.service.template.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that clients can reach from now on. Errors: ``RequestError`` says why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as e:
        why = os.strerror(e.errno) if e.errno > 0 else e.strerror  # negative ones are of names
        raise RequestError(f"{host} port {port}: {why}; --host and --port choose others") from None
