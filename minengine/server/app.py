"""HTTP: what is asked where, who may ask, and how an answer travels.

Owns: routes, status codes, server-sent events, the socket. Must not know: how an engine runs
(``worker.py``), the shapes of bodies (``fields.py``, ``answers.py``). Read before: those.

The engine's thread tells, the event loop listens: every request has a queue, and what the engine
says of it comes in there. A client that goes away is noticed while its answer is awaited, and its
jobs are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from minengine.chat import ChatTemplate
from minengine.engine import Engine
from minengine.errors import EngineError, OutOfBlocks, RequestError
from minengine.sampling import PARAMETERS
from minengine.server import answers, fields
from minengine.server.answers import Answer
from minengine.server.worker import Busy, Closing, Entry, Failed, Job, Piece, Worker, likeliest

LARGEST_BODY = 8 << 20
LARGEST_LOGITS = 1 << 28  # numbers; the log-probabilities of a prompt are made of them
GRACE_S = 5  # that answers under way have to end after Ctrl-C

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
        self.fingerprint, self.created = f"minengine-{version}", int(time.time())

    def app(self) -> Starlette:
        routes = [Route("/health", self.health)]
        for path, handler, method in (
            ("/v1/models", self.models, "GET"),
            ("/v1/models/{name:path}", self.models, "GET"),
            ("/v1/completions", self.completions, "POST"),
            ("/v1/chat/completions", self.chat, "POST"),
        ):
            routes.append(Route(path, self._guarded(handler), methods=[method]))
        failures = {HTTPException: say_http, ClientDisconnect: say_nothing}
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
        return JSONResponse({"status": "ok", "requests": self.worker.n_jobs})

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
        asked = fields.parse(await body_of(request), fields.CHAT)
        if asked["messages"] is None:
            raise RequestError("messages: missing, want a list of messages")
        if asked["top_logprobs"] and not asked["logprobs"]:
            raise RequestError(f"top_logprobs: got {asked['top_logprobs']}, want logprobs true too")
        variables = asked["chat_template_kwargs"]
        if "messages" in variables or "tools" in variables:
            raise RequestError("chat_template_kwargs: messages and tools are fields of their own")
        tools = asked["tools"] if asked["tool_choice"] != "none" else None
        ids = await run_in_threadpool(
            self.template.encode, asked["messages"], tools=tools, **variables
        )
        most = asked["max_completion_tokens"] or asked["max_tokens"] or self.engine.context
        n_top = (asked["top_logprobs"] or 0) if asked["logprobs"] else None
        exchange = Exchange(self, request)
        exchange.jobs = [
            self._job(exchange, ids, asked, most=most, n_top=n_top, stops=self.template.stops)
        ]
        return await exchange.answer(answers.CHAT, asked, n_top is not None)

    async def completions(self, request: Request) -> Response:
        """POST /v1/completions."""
        asked = fields.parse(await body_of(request), fields.COMPLETION)
        prompts = asked["prompt"]
        if prompts is None:
            raise RequestError("prompt: missing, want a text, token ids, or a list of these")
        if asked["best_of"] not in (None, asked["n"]):
            raise RequestError(f"best_of: got {asked['best_of']}, want the same as n")
        if not asked["max_tokens"] and not asked["echo"]:
            raise RequestError("max_tokens: got 0, want at least 1 unless echo is true")
        if isinstance(prompts, str) or isinstance(prompts[0], int):
            prompts = [prompts]
        exchange, n, n_top = Exchange(self, request), asked["n"], asked["logprobs"]
        for k, prompt in enumerate(prompts):
            is_text = isinstance(prompt, str)
            ids = await run_in_threadpool(self.engine.tokenize, prompt) if is_text else prompt
            job = self._job(
                exchange, ids, asked, most=asked["max_tokens"] or 1, n_top=n_top, index=k * n
            )
            exchange.jobs.append(job)
            if asked["echo"]:
                said = prompt if is_text else self.tokenizer.decode(ids)
                entries = await self._entries(ids, said, n_top)
                exchange.echo(job, said, entries, "" if asked["max_tokens"] else "length")
        return await exchange.answer(answers.COMPLETION, asked, n_top is not None)

    def _job(
        self, exchange: Exchange, ids: list[int], asked: dict[str, Any], *, most: int,
        n_top: int | None, index: int = 0, stops: tuple[str, ...] = (),
    ) -> Job:  # fmt: skip
        """A job for one prompt of a request, checked and not begun."""
        stop = asked["stop"]
        stops = (*([stop] if isinstance(stop, str) else stop), *stops)
        bias = {int(token): value for token, value in asked["logit_bias"].items()}
        beyond = [token for token in bias if token >= len(self.tokenizer)]
        if beyond:
            raise RequestError(
                f"logit_bias: got token {beyond[0]}, want less than {len(self.tokenizer)}"
            )
        sampling = {name: asked[name] for name in PARAMETERS if asked[name] is not None}
        return self.worker.job(
            ids, exchange.tell, n=asked["n"], first_index=index, stops=stops, n_top=n_top,
            seed=asked["seed"], max_tokens=most, logit_bias=bias, samplers=asked["samplers"],
            **sampling,
        )  # fmt: skip

    async def _entries(self, ids: list[int], text: str, n_top: int | None) -> tuple[Entry, ...]:
        """The tokens of a prompt with their log-probabilities, but a BOS that we added."""
        if n_top is None:
            return ()
        if len(ids) * len(self.tokenizer) > LARGEST_LOGITS:
            most = LARGEST_LOGITS // len(self.tokenizer)
            raise RequestError(f"logprobs: got {len(ids)} tokens to echo, want at most {most}")

        def entries(engine: Engine) -> tuple[Entry, ...]:
            rows = engine.logits(ids)
            stream, at, found = engine.tokenizer.stream(), 0, []
            for n, token in enumerate(ids):
                before = likeliest(rows[n - 1], token, n_top) if n else (None, ())
                found.append(Entry(token, *before, at))
                at += len(stream.push(token))
            # the space that a tokenizer put before the text is no part of it
            extra = max(0, at - len(text))
            found = [Entry(e.token, e.logprob, e.top, max(0, e.offset - extra)) for e in found]
            is_bos = engine.tokenizer.add_bos and ids[0] == engine.tokenizer.bos
            return tuple(found[is_bos:])

        return await asyncio.wrap_future(self.worker.call(entries))


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
        try:
            async for piece in self._pieces():
                texts[piece.index].append(piece)
        except Gone as e:
            return await say_nothing(self.request, e)
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
        while (await self.request.receive())["type"] != "http.disconnect":
            pass
        self._told.put_nowait(Failed(Gone()))


async def body_of(request: Request) -> bytes:
    """The body, as long as it may be."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body has more than {LARGEST_BODY} bytes")
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
            lifespan="off", timeout_graceful_shutdown=GRACE_S,
        )  # fmt: skip
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
