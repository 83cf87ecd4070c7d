"""What a request may say: one row for each field of OpenAI's bodies, and of llama.cpp's additions.

Owns: names, types, ranges, defaults. Must not know: HTTP, the engine's state. Read before:
``sampling.py``, whose ``PARAMETERS`` are fields too, with its names, defaults and checks.

A field that is not in the table is an error, for a misspelt one would be silently ignored. Those
that ask for what this engine does not do may have the one value that asks for nothing.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minengine.embeddings import POOLING
from minengine.errors import RequestError
from minengine.sampling import PARAMETERS, SAMPLERS

MOST_LEVELS = 100  # of lists and objects inside each other
MOST_CHOICES = 16
MOST_TEXTS = 2048  # to be embedded
MOST_STOPS = 16
LONGEST_STOP = 1000
MOST_LOGPROBS = 20
MOST_BIASES = 1024
LARGEST_BIAS = 100.0
MOST_SAMPLERS = 32
LONGEST_GRAMMAR = 1 << 16
LONGEST_NAME = 256  # of a user


@dataclass(frozen=True)
class Field:
    """``check`` says whether a value is what ``want`` says; null is the same as nothing."""

    name: str
    want: str
    check: Callable[[Any], bool]
    default: Any = None


def parse(body: bytes, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The values of a JSON body, or defaults. Errors: ``RequestError`` with name, got and want."""
    try:
        found = json.loads(body, parse_constant=not_json)
        check_text(found)
    except (ValueError, RecursionError) as e:
        why = "nested too deeply" if isinstance(e, RecursionError) else e
        raise RequestError(f"the body is no JSON: {why}") from None
    if not isinstance(found, dict):
        raise RequestError(f"the body: got {shown(found)}, want an object")
    for name in found.keys() - fields.keys():
        near = difflib.get_close_matches(name[:80], fields, n=1) or [", ".join(sorted(fields))]
        raise RequestError(f"{shown(name)[1:-1]}: no such field; there is {near[0]}")
    values = {name: row.default for name, row in fields.items()}
    for name, value in found.items():
        if value is None:
            continue
        row = fields[name]
        if not row.check(value):
            raise RequestError(f"{name}: got {shown(value)}, want {row.want}")
        values[name] = PARAMETERS[name].check(value) if name in PARAMETERS else value
    return values


def not_json(name: str) -> None:
    raise ValueError(f"{name} is no number")


def check_text(value: Any, level: int = 0) -> None:
    """ValueError for what JSON can say and UTF-8 can't, half of a surrogate pair, and for more
    levels than anything here is meant to have.
    """
    if isinstance(value, str):
        if half := re.search("[\ud800-\udfff]", value):
            raise ValueError(f"\\u{ord(half[0]):04x} alone is no character")
    elif isinstance(value, (dict, list)):
        if level == MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} levels")
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            check_text(inner, level + 1)


def shown(value: Any) -> str:
    """A value in an error message, as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}..."


def whole(least: int, most: float = math.inf) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most


def is_a(*types: type) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, types) and (bool in types or not isinstance(v, bool))


def one_of(*values: Any) -> Callable[[Any], bool]:
    return lambda v: v in values


def are_stops(value: Any) -> bool:
    texts = [value] if isinstance(value, str) else value
    few = isinstance(texts, list) and len(texts) <= MOST_STOPS
    return few and all(isinstance(t, str) and 0 < len(t) <= LONGEST_STOP for t in texts)


def are_biases(value: Any) -> bool:
    few = isinstance(value, dict) and len(value) <= MOST_BIASES
    return few and all(
        re.fullmatch("[0-9]{1,9}", token) and is_a(int, float)(bias) and abs(bias) <= LARGEST_BIAS
        for token, bias in value.items()
    )


def is_prompt(most: int) -> Callable[[Any], bool]:
    """A text, token ids, or a list of several of these."""

    def check(value: Any) -> bool:
        if isinstance(value, str) or is_ids(value):
            return True
        few = isinstance(value, list) and 0 < len(value) <= most
        return few and all(isinstance(v, str) or is_ids(v) for v in value)

    return check


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(whole(0), value))


def are_samplers(value: Any) -> bool:
    few = isinstance(value, list) and len(value) <= MOST_SAMPLERS
    return few and all(isinstance(v, str) and v in STEPS for v in value)


def is_format(value: Any) -> bool:
    """What OpenAI calls a response format; a schema is checked where it is used."""
    if not isinstance(value, dict) or value.get("type") != "json_schema":
        return value in ({"type": "text"}, {"type": "json_object"})
    inner = value.get("json_schema")
    return (
        value.keys() == {"type", "json_schema"}
        and isinstance(inner, dict)
        and inner.keys() <= {"name", "description", "schema", "strict"}
        and isinstance(inner.get("schema"), (dict, bool))
    )


def table(*rows: Field) -> dict[str, Field]:
    return {row.name: row for row in rows}


ANY = Field("", "anything", lambda _: True)
VECTORS = [name for name in POOLING if name != "none"]
STEPS = [row.name for row in SAMPLERS]
NAME = (f"a text of at most {LONGEST_NAME} characters",
        lambda v: isinstance(v, str) and len(v) <= LONGEST_NAME)  # fmt: skip
COMMON = table(
    Field("model", "a text", is_a(str)),
    Field("max_tokens", "a whole number from 1 on", whole(1)),
    Field("n", f"a whole number from 1 to {MOST_CHOICES}", whole(1, MOST_CHOICES), 1),
    Field("seed", "a whole number from 0 on", whole(0)),
    Field(
        "stop", f"a text or a list of at most {MOST_STOPS}, each of 1 to {LONGEST_STOP} characters",
        are_stops, (),
    ),
    Field("stream", "true or false", is_a(bool), False),
    Field(
        "stream_options", '{"include_usage": true or false}',
        lambda v: isinstance(v, dict) and v.keys() <= {"include_usage"}
        and all(isinstance(x, bool) for x in v.values()),
        {},
    ),
    Field(
        "logit_bias",
        f"at most {MOST_BIASES} token ids with numbers from -{LARGEST_BIAS:g} to {LARGEST_BIAS:g}",
        are_biases, {},
    ),
    Field("samplers", f"at most {MOST_SAMPLERS} of {', '.join(STEPS)}", are_samplers),
    *(Field(p.name, p.want, is_a(int, float, bool)) for p in PARAMETERS.values()),
    Field("grammar", f"a text of at most {LONGEST_GRAMMAR} characters",
          lambda v: isinstance(v, str) and len(v) <= LONGEST_GRAMMAR),
    Field(
        "response_format",
        'the type "text", "json_object", or "json_schema" with "json_schema": {"schema": {...}}',
        is_format, {"type": "text"},
    ),
    # whom a fair queue counts a request for: OpenAI's old name, and its new one
    *(Field(name, *NAME) for name in ("user", "safety_identifier")),
    # for whoever keeps accounts; the answer does not depend on them
    *(Field(name, "anything", ANY.check) for name in (
        "metadata", "store", "service_tier", "prompt_cache_key")),
)  # fmt: skip
COMPLETION = COMMON | table(
    Field("prompt", f"a text, token ids, or a list of at most {MOST_CHOICES} of these",
          is_prompt(MOST_CHOICES)),
    Field("max_tokens", "a whole number from 0 on", whole(0), 16),
    Field("echo", "true or false", is_a(bool), False),
    Field(
        "logprobs", f"a whole number from 0 to {MOST_LOGPROBS}", whole(0, MOST_LOGPROBS)
    ),
    Field("suffix", "nothing: this engine writes at the end alone", one_of("")),
    Field("best_of", "nothing, or the same as n", whole(1, MOST_CHOICES)),
)  # fmt: skip
CHAT = COMMON | table(
    Field("messages", "a list of messages", lambda v: isinstance(v, list) and bool(v)),
    Field("max_completion_tokens", "a whole number from 1 on", whole(1)),
    Field("logprobs", "true or false", is_a(bool), False),
    Field("top_logprobs", f"a whole number from 0 to {MOST_LOGPROBS}", whole(0, MOST_LOGPROBS)),
    Field("tools", "a list of objects", lambda v: isinstance(v, list)
          and all(isinstance(x, dict) for x in v)),
    Field("tool_choice", "none or auto: calls are written as text", one_of("none", "auto")),
    Field("parallel_tool_calls", "true or false", is_a(bool)),
    Field("modalities", '["text"]', one_of(["text"])),
    Field("chat_template_kwargs", "an object", is_a(dict), {}),
)  # fmt: skip
EMBEDDING = table(
    Field("input", f"a text, token ids, or a list of at most {MOST_TEXTS} of these",
          is_prompt(MOST_TEXTS)),
    Field("model", "a text", is_a(str)),
    Field("encoding_format", "float or base64", one_of("float", "base64"), "float"),
    Field("dimensions", "a whole number from 1 on", whole(1)),
    Field("pooling", ", ".join(VECTORS), one_of(*VECTORS), "mean"),
    *(Field(name, *NAME) for name in ("user", "safety_identifier")),
)  # fmt: skip
