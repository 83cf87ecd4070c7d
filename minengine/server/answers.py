"""What is said back: OpenAI's objects made of pieces of text, log-probabilities and counts.

Owns: the shapes of answers, chunks, usage and errors. Must not know: HTTP, the engine's state. Read
before: ``jobs.py`` (``Piece``, ``Entry``).
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minengine.server.fields as fields
from minengine.server.jobs import Entry, Job, Piece
from minengine.tokenizer import Tokenizer

# why a choice ended -> what OpenAI calls it
REASONS = {"": None, "end": "stop", "stop": "stop", "length": "length", "context": "length"}


@dataclass(frozen=True)
class Kind:
    """One of the two interfaces: names of its objects, and what it puts into a choice."""

    prefix: str
    whole_object: str
    chunk_object: str
    whole: Callable[[str], dict[str, Any]]
    chunk: Callable[[str, bool, bool], dict[str, Any]]  # (text, is first, is last)
    logprobs: Callable[[Sequence[Entry], Tokenizer], dict[str, Any]]


@dataclass
class Answer:
    """The frame that all chunks of one answer share."""

    kind: Kind
    model: str
    fingerprint: str
    tokenizer: Tokenizer
    with_logprobs: bool
    with_usage: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, texts: Sequence[list[Piece]], usage: dict[str, Any]) -> dict[str, Any]:
        """The answer at once; ``texts`` are the pieces of each choice."""
        choices = []
        for index, pieces in enumerate(texts):
            text = "".join(p.text for p in pieces)
            entries = [e for p in pieces for e in p.entries]
            choices.append(self._choice(index, self.kind.whole(text), entries, pieces[-1].reason))
        return self._frame(self.kind.whole_object, choices) | {"usage": usage}

    def chunk(self, piece: Piece, is_first: bool) -> dict[str, Any]:
        """One piece as it comes."""
        body = self.kind.chunk(piece.text, is_first, bool(piece.reason))
        choice = self._choice(piece.index, body, piece.entries, piece.reason)
        return self._frame(self.kind.chunk_object, [choice]) | (
            {"usage": None} if self.with_usage else {}
        )

    def usage_chunk(self, usage: dict[str, Any]) -> dict[str, Any]:
        return self._frame(self.kind.chunk_object, []) | {"usage": usage}

    def _frame(self, name: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"{self.kind.prefix}-{self.id}", "object": name, "created": self.created,
            "model": self.model, "system_fingerprint": self.fingerprint, "choices": choices,
        }  # fmt: skip

    def _choice(
        self, index: int, body: dict[str, Any], entries: Sequence[Entry], reason: str
    ) -> dict[str, Any]:
        found = self.kind.logprobs(entries, self.tokenizer) if self.with_logprobs else None
        return {"index": index, **body, "logprobs": found, "finish_reason": REASONS[reason]}


def usage_of(jobs: Iterable[Job]) -> dict[str, Any]:
    """Tokens of prompts and answers; of the prompts' tokens those that the cache had."""
    jobs = list(jobs)
    prompt, generated = sum(j.n_prompt for j in jobs), sum(j.n_tokens for j in jobs)
    return {
        "prompt_tokens": prompt, "completion_tokens": generated, "total_tokens": prompt + generated,
        "prompt_tokens_details": {"cached_tokens": sum(j.n_cached for j in jobs)},
    }  # fmt: skip


def embeddings(
    model: str, vectors: Sequence[np.ndarray], encoding: str, n_tokens: int
) -> Iterator[str]:
    """The answer in pieces, one a vector: all at once they would be hundreds of megabytes."""
    usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    yield json.dumps({"object": "list", "model": model, "usage": usage})[:-1] + ', "data": ['
    for index, vector in enumerate(vectors):
        said = vector.tolist()
        if encoding == "base64":
            said = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        row = {"object": "embedding", "index": index, "embedding": said}
        yield (", " if index else "") + json.dumps(row)
    yield "]}"


def error(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """An error as OpenAI shapes it; ``param`` is the field that a message begins with."""
    first = re.match("[a-z_]*", message)[0]
    param = first if first in fields.CHAT | fields.COMPLETION | fields.EMBEDDING else None
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def chat_chunk(text: str, is_first: bool, is_last: bool) -> dict[str, Any]:
    delta = {"role": "assistant", "content": text} if is_first else {"content": text}
    return {"delta": {} if is_last and not text and not is_first else delta}


def token_of(tokenizer: Tokenizer, token: int, logprob: float | None) -> dict[str, Any]:
    raw = tokenizer.piece(token) or tokenizer.texts[token]  # a control token prints nothing
    return {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}


def chat_logprobs(entries: Sequence[Entry], tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "content": [
            token_of(tokenizer, e.token, e.logprob)
            | {"top_logprobs": [token_of(tokenizer, *pair) for pair in e.top]}
            for e in entries
        ],
        "refusal": None,
    }


def completion_logprobs(entries: Sequence[Entry], tokenizer: Tokenizer) -> dict[str, Any]:
    def name(token: int) -> str:
        return token_of(tokenizer, token, None)["token"]

    return {
        "tokens": [name(e.token) for e in entries],
        "token_logprobs": [e.logprob for e in entries],
        "top_logprobs": [
            None if e.logprob is None else {name(i): p for i, p in ((e.token, e.logprob), *e.top)}
            for e in entries
        ],
        "text_offset": [e.offset for e in entries],
    }


CHAT = Kind(
    prefix="chatcmpl",
    whole_object="chat.completion",
    chunk_object="chat.completion.chunk",
    whole=lambda text: {"message": {"role": "assistant", "content": text, "refusal": None}},
    chunk=chat_chunk,
    logprobs=chat_logprobs,
)
COMPLETION = Kind(
    prefix="cmpl",
    whole_object="text_completion",
    chunk_object="text_completion",
    whole=lambda text: {"text": text},
    chunk=lambda text, is_first, is_last: {"text": text},
    logprobs=completion_logprobs,
)
