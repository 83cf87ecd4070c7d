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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from minengine.errors import RequestError
from minengine.sampling import PARAMETERS

MOST_CHOICES = 16
MOST_STOPS = 16
MOST_LOGPROBS = 20
LARGEST_BIAS = 100.0


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
    except (ValueError, RecursionError) as e:
        raise RequestError(f"the body is no JSON: {e or 'nested too deeply'}") from None
    if not isinstance(found, dict):
        raise RequestError(f"the body: got {shown(found)}, want an object")
    for name in found.keys() - fields.keys():
        near = difflib.get_close_matches(name, fields, n=1) or [", ".join(sorted(fields))]
        raise RequestError(f"{shown(name)[1:-1]}: no such field; there is {near[0]}")
    values = {name: row.default for name, row in fields.items()}
    for name, value in found.items():
        if value is None:
            continue
        row = fields[name]
        if name in PARAMETERS:
            values[name] = PARAMETERS[name].check(value)
        elif row.check(value):
            values[name] = value
        else:
            raise RequestError(f"{name}: got {shown(value)}, want {row.want}")
    return values


def not_json(name: str) -> None:
    raise ValueError(f"{name} is no number")


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
    return few and all(isinstance(t, str) and t for t in texts)


def are_biases(value: Any) -> bool:
    return isinstance(value, dict) and all(
        token.isdecimal() and is_a(int, float)(bias) and abs(bias) <= LARGEST_BIAS
        for token, bias in value.items()
    )


def is_prompt(value: Any) -> bool:
    """A text, token ids, or a list of several of these."""
    if isinstance(value, str) or is_ids(value):
        return True
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_CHOICES
        and all(isinstance(v, str) or is_ids(v) for v in value)
    )


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(whole(0), value))


def table(*rows: Field) -> dict[str, Field]:
    return {row.name: row for row in rows}


ANY = Field("", "anything", lambda _: True)
COMMON = table(
    Field("model", "a text", is_a(str)),
    Field("max_tokens", "a whole number from 1 on", whole(1)),
    Field("n", f"a whole number from 1 to {MOST_CHOICES}", whole(1, MOST_CHOICES), 1),
    Field("seed", "a whole number from 0 on", whole(0)),
    Field("stop", f"a text or a list of at most {MOST_STOPS}, none empty", are_stops, ()),
    Field("stream", "true or false", is_a(bool), False),
    Field(
        "stream_options", '{"include_usage": true or false}',
        lambda v: isinstance(v, dict) and v.keys() <= {"include_usage"}
        and all(isinstance(x, bool) for x in v.values()),
        {},
    ),
    Field(
        "logit_bias", f"token ids with numbers from -{LARGEST_BIAS:g} to {LARGEST_BIAS:g}",
        are_biases, {},
    ),
    Field("samplers", "a list of samplers in their order", lambda v: isinstance(v, list)
          and all(isinstance(x, str) for x in v)),
    *(Field(p.name, "", is_a(p.type)) for p in PARAMETERS.values()),
    # for whoever keeps accounts; the answer does not depend on them
    *(Field(name, "anything", ANY.check) for name in (
        "user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier")),
)  # fmt: skip
COMPLETION = COMMON | table(
    Field("prompt", f"a text, token ids, or a list of at most {MOST_CHOICES} of these", is_prompt),
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
    Field("response_format", '{"type": "text"}', one_of({"type": "text"})),
    Field("modalities", '["text"]', one_of(["text"])),
    Field("chat_template_kwargs", "an object", is_a(dict), {}),
)  # fmt: skip
