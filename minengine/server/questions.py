"""Questions: from the checked fields of a request to jobs, and to texts that are only read.

Owns: what fields mean together, grammars that were asked for before, how long a text may be. Must
not know: HTTP, the shape of answers, when anything runs. Read before: ``fields.py``, ``jobs.py``,
``worker.py`` (call), ``chat.py``.

A template, a tokenizer and a grammar take their time, so ``Questions`` is used from many threads at
once. ``entries`` and ``vectors`` are for ``Worker.call``: the engine reads texts in steps.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import numpy as np

from minengine.chat import ChatTemplate
from minengine.embeddings import pooled
from minengine.engine import Engine
from minengine.errors import RequestError
from minengine.grammar import Grammar
from minengine.json_schema import to_gbnf
from minengine.sampling import PARAMETERS
from minengine.server.fields import LONGEST_GRAMMAR
from minengine.server.jobs import Entry, Failed, Job, Piece, likeliest
from minengine.server.worker import Walk, Worker

REMEMBERED = 8  # grammars; what one has learnt of a vocabulary may take 30 MB
JSON_OBJECT = (resources.files("minengine") / "grammars" / "json.gbnf").read_text("utf-8")


class Questions:
    """Makes jobs for a worker, not begun yet. Errors: ``RequestError`` names the field."""

    def __init__(self, worker: Worker, template: ChatTemplate) -> None:
        self.worker, self.template = worker, template
        self.engine, self.tokenizer = worker.engine, worker.engine.tokenizer
        # no text of more bytes fits; finding that out token by token would take minutes
        self.most_bytes = self.engine.context * max(map(len, self.tokenizer.texts))
        self.grammar = functools.lru_cache(maxsize=REMEMBERED)(Grammar)

    def chat(self, asked: dict[str, Any], tell: Callable[[Piece | Failed], None]) -> Job:
        """The job of a conversation."""
        if asked["messages"] is None:
            raise RequestError("messages: missing, want a list of messages")
        if asked["top_logprobs"] and not asked["logprobs"]:
            raise RequestError(f"top_logprobs: got {asked['top_logprobs']}, want logprobs true too")
        variables = asked["chat_template_kwargs"]
        if "messages" in variables or "tools" in variables:
            raise RequestError("chat_template_kwargs: messages and tools are fields of their own")
        tools = asked["tools"] if asked["tool_choice"] != "none" else None
        parts = self.template.render(asked["messages"], tools=tools, **variables)
        self._fits(sum(len(text) for text, _ in parts), "messages")
        most = asked["max_completion_tokens"] or asked["max_tokens"] or self.engine.context
        n_top = (asked["top_logprobs"] or 0) if asked["logprobs"] else None
        ids = self.template.ids(parts, tools=tools)
        return self._job(ids, asked, tell, most=most, n_top=n_top, stops=self.template.stops)

    def completions(
        self, asked: dict[str, Any], tell: Callable[[Piece | Failed], None]
    ) -> list[tuple[Job, str]]:
        """(job, the prompt's text where it is echoed) for every prompt."""
        prompts, n = asked["prompt"], asked["n"]
        if prompts is None:
            raise RequestError("prompt: missing, want a text, token ids, or a list of these")
        if asked["best_of"] not in (None, n):
            raise RequestError(f"best_of: got {asked['best_of']}, want the same as n")
        if not asked["max_tokens"] and not asked["echo"]:
            raise RequestError("max_tokens: got 0, want at least 1 unless echo is true")
        found = []
        for k, prompt in enumerate(several(prompts)):
            ids = self._ids(prompt, "prompt")
            most, n_top = asked["max_tokens"] or 1, asked["logprobs"]
            job = self._job(ids, asked, tell, most=most, n_top=n_top, index=k * n)
            said = prompt if isinstance(prompt, str) else self.tokenizer.decode(ids)
            found.append((job, said if asked["echo"] else ""))
        return found

    def texts(self, asked: dict[str, Any]) -> list[list[int]]:
        """The token ids of what is to be embedded."""
        if asked["input"] is None:
            raise RequestError("input: missing, want a text, token ids, or a list of these")
        width = self.engine.model.hparams.D
        if asked["dimensions"] not in (None, width):
            raise RequestError(
                f"dimensions: got {asked['dimensions']}, want {width}, what this model has"
            )
        found = []
        for n, text in enumerate(several(asked["input"])):
            try:
                found.append(self.engine.checked(self._ids(text, "a text")))
            except RequestError as e:
                raise RequestError(f"input[{n}]: {e}") from None
            if not found[-1]:
                raise RequestError(f"input[{n}]: got no token, want at least one")
        return found

    def _ids(self, text: str | list[int], name: str) -> list[int]:
        if not isinstance(text, str):
            return text
        self._fits(len(text.encode()), name)
        return self.engine.tokenize(text)

    def _fits(self, n_bytes: int, name: str) -> None:
        if n_bytes > self.most_bytes:
            raise RequestError(
                f"{name}: got {n_bytes} bytes, the context of {self.engine.context} tokens holds at"
                f" most {self.most_bytes}"
            )

    def _job(
        self, ids: list[int], asked: dict[str, Any], tell: Callable[[Piece | Failed], None], *,
        most: int, n_top: int | None, index: int = 0, stops: tuple[str, ...] = (),
    ) -> Job:  # fmt: skip
        stop, bias = asked["stop"], {int(i): value for i, value in asked["logit_bias"].items()}
        beyond = [token for token in bias if token >= len(self.tokenizer)]
        if beyond:
            raise RequestError(
                f"logit_bias: got token {beyond[0]}, want less than {len(self.tokenizer)}"
            )
        return self.worker.job(
            ids, tell, n=asked["n"], first_index=index, n_top=n_top, seed=asked["seed"],
            stops=(*([stop] if isinstance(stop, str) else stop), *stops), max_tokens=most,
            user=asked["user"] or asked["safety_identifier"] or "", logit_bias=bias,
            samplers=asked["samplers"], grammar=self._grammar(asked),
            **{name: asked[name] for name in PARAMETERS if asked[name] is not None},
        )  # fmt: skip

    def _grammar(self, asked: dict[str, Any]) -> Grammar | None:
        """What the answer has to match, of ``grammar`` or ``response_format``."""
        text, form = asked["grammar"], asked["response_format"]
        if form["type"] == "text":
            return None if text is None else self.grammar(text)
        if text is not None:
            raise RequestError("grammar: got one beside response_format, want one of them")
        if form["type"] == "json_object":
            return self.grammar(JSON_OBJECT)
        schema = form["json_schema"]["schema"]
        try:
            if len(json.dumps(schema)) > LONGEST_GRAMMAR:
                raise RequestError(f"want a schema of at most {LONGEST_GRAMMAR} characters")
            return self.grammar(to_gbnf(schema))
        except RequestError as e:
            raise RequestError(f"response_format: {e}") from None


def several(value: str | list) -> list[str | list[int]]:
    """A list of texts and token ids, where one may stand alone."""
    return [value] if isinstance(value, str) or isinstance(value[0], int) else value


def entries(engine: Engine, ids: list[int], text: str, n_top: int) -> Walk:
    """The tokens of a prompt with their log-probabilities, but a BOS that we added."""
    stream, at, found, before = engine.tokenizer.stream(), 0, [], (None, ())
    for _, rows in engine.rows([ids]):
        for row in rows:
            token = ids[len(found)]
            found.append(Entry(token, *before, at))
            at += len(stream.push(token))
            if len(found) < len(ids):
                before = likeliest(row, ids[len(found)], n_top)
        yield True
    # the space that a tokenizer put before the text is no part of it
    extra = max(0, at - len(text))
    found = [Entry(e.token, e.logprob, e.top, max(0, e.offset - extra)) for e in found]
    is_bos = engine.tokenizer.add_bos and ids[0] == engine.tokenizer.bos
    return tuple(found[is_bos:])


def vectors(engine: Engine, texts: list[list[int]], pooling: str) -> Walk:
    """A vector of length 1 for each text: a list of float32 (D,). A step is a pass."""
    found: list[np.ndarray] = []
    for group in groups(texts, engine.scheduler.n_batch):
        parts: list[list[np.ndarray]] = [[] for _ in group]
        for n, rows in engine.rows(group, hidden=True):
            parts[n].append(rows)
            if len(group) == 1:
                yield True
        found += [pooled(rows, pooling) for rows in parts]
        yield False
    return found


def groups(texts: list[list[int]], n_batch: int) -> Iterator[list[list[int]]]:
    """Texts in their order, as many as share a pass of ``n_batch`` tokens; longer ones alone."""
    group: list[list[int]] = []
    for ids in texts:
        if group and sum(map(len, group)) + len(ids) > n_batch:
            yield group
            group = []
        group.append(ids)
    if group:
        yield group
