"""HTTP: what is asked where, who may ask, and how an answer travels.

Owns: routes, status codes, server-sent events. Must not know: sockets (``connections.py``), how an
engine runs (``worker.py``), the shapes of bodies (``fields.py``, ``answers.py``), what they ask for
(``questions.py``). Read before: those but the first.

The engine's thread tells, the event loop listens: every request has a queue, and what the engine
says of it comes in there. A client that goes away is noticed while its answer is awaited, and its
jobs are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from minengine.chat import ChatTemplate
from minengine.engine import Engine
from minengine.errors import EngineError, OutOfBlocks, RequestError
from minengine.server import answers, fields
from minengine.server.answers import Answer
from minengine.server.jobs import Entry, Failed, Job, Piece
from minengine.server.questions import Questions, entries, vectors
from minengine.server.worker import Busy, Closing, Worker

LARGEST_BODY = 8 << 20
BODY_S = 30

# what an error is -> status, OpenAI's type and code
STATUS: dict[type[Exception], tuple[int, str, str | None]] = {
    Busy: (429, "rate_limit_error", "too_many_requests"),
    OutOfBlocks: (503, "server_error", "out_of_memory"),
    Closing: (503, "server_error", "closing"),
    RequestError: (400, "invalid_request_error", None),
    EngineError: (500, "server_error", None),
    Exception: (500, "server_error", None),
}


class Gone(Exception):
    """The client went away."""


class Service:
    """What the routes have in common: the worker, the template, the name of the model."""

    def __init__(self, worker: Worker, *, model: str, api_key: str | None, version: str) -> None:
        self.worker, self.model, self.api_key = worker, model, api_key
        self.engine, self.tokenizer = worker.engine, worker.engine.tokenizer
        self.template = ChatTemplate(self.engine.model.file.metadata, self.tokenizer)
        self.questions = Questions(worker, self.template)
        self.fingerprint, self.created = f"minengine-{version}", int(time.time())

    def app(self) -> Starlette:
        routes = [Route("/health", self.health)]
        for path, handler, method in (
            ("/v1/models", self.models, "GET"),
            ("/v1/models/{name:path}", self.models, "GET"),
            ("/v1/completions", self.completions, "POST"),
            ("/v1/chat/completions", self.chat, "POST"),
            ("/v1/embeddings", self.embeddings, "POST"),
        ):
            routes.append(Route(path, self._guarded(handler), methods=[method]))
        failures = {HTTPException: say_http, ClientDisconnect: say_nothing, Gone: say_nothing}
        failures |= dict.fromkeys(STATUS, say_error)
        return Starlette(routes=routes, exception_handlers=failures)

    def _guarded(self, handler: Callable) -> Callable:
        """``handler`` for those who have the key."""

        async def run(request: Request) -> Response:
            said = request.headers.get("authorization", "").removeprefix("Bearer ")
            if self.api_key is not None and not hmac.compare_digest(
                said.encode(), self.api_key.encode()
            ):
                raise HTTPException(401, "the API key is missing or wrong")
            return await handler(request)

        return run

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", **self.worker.health()})

    async def models(self, request: Request) -> Response:
        """The one model, alone or in a list."""
        h = self.engine.model.hparams
        found = {
            "id": self.model, "object": "model", "created": self.created, "owned_by": "minengine",
            "meta": {
                "architecture": h.architecture, "n_vocabulary": h.V, "context": self.engine.context,
                "chat_template": self.template.origin,
            },
        }  # fmt: skip
        name = request.path_params.get("name")
        if name not in (None, self.model):
            raise HTTPException(404, f"model {name!r}: there is {self.model}")
        return JSONResponse({"object": "list", "data": [found]} if name is None else found)

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        asked = await self._asked(request, fields.CHAT)
        exchange = Exchange(self, request)
        exchange.jobs = [await run_in_threadpool(self.questions.chat, asked, exchange.tell)]
        return await exchange.answer(answers.CHAT, asked, asked["logprobs"])

    async def completions(self, request: Request) -> Response:
        """POST /v1/completions."""
        asked = await self._asked(request, fields.COMPLETION)
        exchange, n_top = Exchange(self, request), asked["logprobs"]
        found = await run_in_threadpool(self.questions.completions, asked, exchange.tell)
        exchange.jobs = [job for job, _ in found]
        for job, said in found if asked["echo"] else ():
            told, ids = (), job.choices[0].sequence.tokens
            if n_top is not None:
                read = functools.partial(entries, ids=list(ids), text=said, n_top=n_top)
                told = await self._called(request, read)
            exchange.echo(job, said, told, "" if asked["max_tokens"] else "length")
        return await exchange.answer(answers.COMPLETION, asked, n_top is not None)

    async def embeddings(self, request: Request) -> Response:
        """POST /v1/embeddings."""
        asked = await self._asked(request, fields.EMBEDDING)
        texts = await run_in_threadpool(self.questions.texts, asked)
        read = functools.partial(vectors, texts=texts, pooling=asked["pooling"])
        found = await self._called(request, read)
        self.worker.served["embedded"] += sum(map(len, texts))
        said = answers.embeddings(self.model, found, asked["encoding_format"], sum(map(len, texts)))
        return StreamingResponse(said, media_type="application/json")

    async def _asked(self, request: Request, table: Mapping[str, fields.Field]) -> dict[str, Any]:
        """The fields of a body, where there is room for one more request."""
        self.worker.room()
        return await run_in_threadpool(fields.parse, await body_of(request), table)

    async def _called(self, request: Request, function: Callable[[Engine], Any]) -> Any:
        """What a call of the engine returns; it ends where the client goes away. Errors: its own,
        ``Busy``, ``Closing``, ``Gone``.
        """
        self.worker.room()
        called = asyncio.wrap_future(self.worker.call(function))
        left = asyncio.create_task(gone(request))
        try:
            await asyncio.wait({called, left}, return_when=asyncio.FIRST_COMPLETED)
            if not called.done():
                raise Gone
            return called.result()
        finally:
            called.cancel()
            left.cancel()


class Exchange:
    """One request and its answer: its jobs, and the queue in which the engine tells of them."""

    def __init__(self, service: Service, request: Request) -> None:
        self.service, self.request, self.jobs = service, request, []
        self._told: asyncio.Queue[Piece | Failed] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._open: set[int] = set()  # choices that have not ended

    def tell(self, event: Piece | Failed) -> None:
        """Called from the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended and nobody listens
            self._loop.call_soon_threadsafe(self._told.put_nowait, event)

    def echo(self, job: Job, text: str, entries: tuple[Entry, ...], reason: str) -> None:
        """Say the prompt first; with a reason nothing comes after it."""
        for choice in job.choices:
            choice.n_decoded = choice.n_said = len(text)  # offsets count from the echo on
            self._told.put_nowait(Piece(choice.index, text, entries, reason))

    async def answer(self, kind: answers.Kind, asked: dict[str, Any], logprobs: bool) -> Response:
        """Begin the jobs, and answer at once or as a stream."""
        service, options = self.service, asked["stream_options"]
        if options and not asked["stream"]:
            raise RequestError("stream_options: got them, want stream true too")
        answer = Answer(
            kind, service.model, service.fingerprint, service.tokenizer, logprobs,
            with_usage=options.get("include_usage", False),
        )  # fmt: skip
        self._open = {choice.index for job in self.jobs for choice in job.choices}
        if asked["max_tokens"] != 0:
            service.worker.begin(self.jobs)
        if asked["stream"]:
            events = self._events(answer)
            headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
            return StreamingResponse(events, media_type="text/event-stream", headers=headers)
        texts: list[list[Piece]] = [[] for _ in self._open]
        async for piece in self._pieces():
            texts[piece.index].append(piece)
        return JSONResponse(answer.whole(texts, answers.usage_of(self.jobs)))

    async def _events(self, answer: Answer) -> AsyncIterator[str]:
        """Server-sent events: a chunk for each piece, usage where it was asked for, [DONE]."""
        begun: set[int] = set()
        try:
            async for piece in self._pieces():
                yield event(answer.chunk(piece, piece.index not in begun))
                begun.add(piece.index)
            if answer.with_usage:
                yield event(answer.usage_chunk(answers.usage_of(self.jobs)))
        except Gone:
            return
        except Exception as e:  # noqa: BLE001 - the status is sent, so the stream has to say it
            _, kind, code = status_of(e)
            yield event(answers.error(str(e), kind, code))
        yield "data: [DONE]\n\n"

    async def _pieces(self) -> AsyncIterator[Piece]:
        """What the engine tells until all choices have ended. Errors: what a job failed of,
        ``Gone``. However it ends, the jobs do too.
        """
        watcher = asyncio.create_task(self._watch())
        try:
            while self._open:
                told = await self._told.get()
                if isinstance(told, Failed):
                    raise told.error
                if told.reason:
                    self._open.discard(told.index)
                yield told
        finally:
            watcher.cancel()
            for job in self.jobs:
                self.service.worker.drop(job)

    async def _watch(self) -> None:
        """Notice that the client goes away."""
        await gone(self.request)
        self._told.put_nowait(Failed(Gone()))


async def gone(request: Request) -> None:
    """Wait until the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def body_of(request: Request) -> bytes:
    """The body, as long as it may be and as soon as it must be here."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise HTTPException(413, f"the body has more than {LARGEST_BODY} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body was not here within {BODY_S} s") from None
    return bytes(body)


def event(found: dict[str, Any]) -> str:
    return f"data: {json.dumps(found, ensure_ascii=False)}\n\n"


def status_of(e: Exception) -> tuple[int, str, str | None]:
    return next(STATUS[c] for c in type(e).__mro__ if c in STATUS)


async def say_error(_: Request, e: Exception) -> Response:
    status, kind, code = status_of(e)
    headers = {"retry-after": "1"} if status in (429, 503) else None
    return JSONResponse(answers.error(str(e), kind, code), status, headers)


async def say_nothing(_: Request, __: Exception) -> Response:
    """The client went away: nobody reads this."""
    return Response(status_code=499)


async def say_http(request: Request, e: HTTPException) -> Response:
    """No such path, wrong method, no key, too large: in OpenAI's shape too."""
    said = f"{request.method} {request.url.path}: {e.detail}" if e.status_code != 401 else e.detail
    code = "invalid_api_key" if e.status_code == 401 else None
    return JSONResponse(answers.error(said, "invalid_request_error", code), e.status_code)
