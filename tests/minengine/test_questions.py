"""Questions to the server in this process: whatever is asked, no answer is a failure of ours."""

from __future__ import annotations

import asyncio
import json
import string

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine
from minengine.errors import RequestError
from minengine.sampling import LARGEST, PARAMETERS
from minengine.server import fields
from minengine.server.app import Service
from minengine.server.questions import groups, vectors
from minengine.server.worker import Busy, Closing, Worker

PATIENCE_S = 60


@pytest.fixture(scope="module")
def service():
    with Engine(n_threads=1, context=128) as engine:
        worker = Worker(engine)
        made = Service(worker, model="tiny", api_key=None, version="0")
        yield made
        worker.stop()
        worker.join()
        made.template.close()


def answer(service: Service, path: str, body: bytes) -> httpx.Response:
    """What the application says; an exception that it lets through is raised here."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(service.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post(path, content=body, timeout=PATIENCE_S)

    return asyncio.run(ask())


# What the fields of requests may be given: good values, and whatever JSON has.
HUGE = st.sampled_from([10**400, -(10**400), 2**31, 2**63, 1e308, -1e308, 5e-324, 1e999, 0, -1])
JSON = st.recursive(
    st.none() | st.booleans() | HUGE | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
TEXT = st.text(max_size=12) | st.sampled_from(["ROMEO:", "", "\0", "<s></s>", "\ud800", "x" * 9000])
IDS = st.lists(st.integers(0, 1100), min_size=1, max_size=5)
SCHEMA = st.sampled_from([
    True, {}, {"type": "integer"}, {"type": "object", "properties": {"é\n": {}}}, {"$ref": "#"},
    {"pattern": "a"}, {"enum": []}, {"anyOf": [False]}, {"type": "array", "minItems": 10**30},
    {"const": {"a": [None]}},
])  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "assistant", "x", ""]), "content": TEXT | JSON},
    optional={"name": JSON, "tool_calls": JSON},
)
GOOD = {
    "prompt": TEXT | IDS | st.lists(TEXT | IDS, max_size=3), "input": TEXT | st.lists(TEXT | IDS),
    "messages": st.lists(MESSAGE | JSON, max_size=3), "max_tokens": st.integers(0, 4),
    "max_completion_tokens": st.integers(0, 4), "n": st.integers(1, 3), "seed": st.integers(0),
    "stop": TEXT | st.lists(TEXT, max_size=3) | st.just(["x"] * 10_000), "stream": st.booleans(),
    "stream_options": st.fixed_dictionaries({"include_usage": st.booleans()}),
    "logit_bias": st.dictionaries(
        st.text(string.digits, min_size=1) | st.just("٣") | st.just("9" * 5000),
        st.integers(-100, 100) | HUGE, max_size=3),
    "samplers": st.lists(st.sampled_from(fields.STEPS), max_size=40), "echo": st.booleans(),
    "logprobs": st.booleans() | st.integers(0, 21), "top_logprobs": st.integers(0, 21),
    "grammar": st.sampled_from(['root ::= "a"*', "root ::= <[2000]>", "x", "root ::= ", "a ::="]),
    "response_format": st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "json_object", "json_schema", "x"])},
        optional={"json_schema": st.fixed_dictionaries({"schema": SCHEMA}) | JSON}),
    "user": TEXT, "encoding_format": st.sampled_from(["float", "base64", "x"]),
    "pooling": st.sampled_from(["mean", "last", "cls", "none"]), "dimensions": st.integers(1, 300),
    "chat_template_kwargs": st.dictionaries(
        st.sampled_from(["self", "bos_token", "messages", "range", "a b", "add_generation_prompt"]),
        JSON, max_size=2),
} | {
    p.name: st.floats(-2, 100) | st.integers(-2, 50) | HUGE for p in PARAMETERS.values()
}  # fmt: skip
ROUTES = {
    "/v1/completions": (fields.COMPLETION, "prompt"),
    "/v1/chat/completions": (fields.CHAT, "messages"),
    "/v1/embeddings": (fields.EMBEDDING, "input"),
}


@st.composite
def requests(draw) -> tuple[str, bytes]:
    """A route and a body: mostly what it wants, with a few fields that are anything at all."""
    path = draw(st.sampled_from(sorted(ROUTES)))
    table, main = ROUTES[path]
    body = {main: draw(GOOD[main])}
    if path != "/v1/embeddings":
        body["max_tokens"] = draw(GOOD["max_tokens"])
    for name in draw(st.lists(st.sampled_from(sorted(table)), max_size=4)):
        body[name] = draw(GOOD.get(name, JSON))
    if draw(st.integers(0, 3)) == 0:
        body[draw(st.sampled_from(sorted(table)) | st.text(max_size=5))] = draw(JSON)
    return path, json.dumps(body).replace("Infinity", "1e999").encode()


@settings(deadline=None, max_examples=300)
@given(requests())
def test_no_request_is_answered_by_a_failure_of_ours(service, request):
    path, body = request
    found = answer(service, path, body)
    assert found.status_code in (200, 400), found.text
    if found.status_code == 400:
        error = found.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert 0 < len(error["message"]) < 1500
    elif found.headers["content-type"].startswith("text/event-stream"):
        assert found.text.endswith("data: [DONE]\n\n")
        assert '"server_error"' not in found.text
    else:
        assert found.json()["object"]
    assert service.engine.pool.n_used == 0 or service.worker.n_jobs


def within(p) -> st.SearchStrategy:
    """Values that a parameter may have, the extremes among them."""
    if p.type is bool:
        return st.booleans()
    low, high = max(p.minimum, -LARGEST), 2 if p.name == "mirostat" else LARGEST
    if p.type is int:
        return st.integers(low, high) | st.integers(low, min(high, 50))
    return st.floats(low, high) | st.sampled_from([low, high, 5e-324, 0.999999]).filter(
        lambda v: v >= low
    )


@settings(deadline=None, max_examples=80)
@given(
    st.fixed_dictionaries({}, optional={p.name: within(p) for p in PARAMETERS.values()}),
    st.fixed_dictionaries(
        {"prompt": st.sampled_from(["ROMEO:", "a a a a a", [5]]), "max_tokens": st.integers(1, 4)},
        optional={
            "samplers": st.lists(st.sampled_from(fields.STEPS), max_size=32),
            "logit_bias": st.dictionaries(st.integers(0, 1023), st.integers(-100, 100)),
            "logprobs": st.integers(0, 20), "n": st.integers(1, 3), "echo": st.booleans(),
            "seed": st.integers(0, 10**40), "response_format": st.just({"type": "json_object"}),
        },
    ),
)  # fmt: skip
def test_no_value_in_range_makes_the_engine_fail(service, parameters, body):
    found = answer(service, "/v1/completions", json.dumps(body | parameters).encode())
    assert found.status_code == 200, found.text


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40) | JSON.map(lambda v: json.dumps(v).encode()))
def test_no_body_is_answered_by_a_failure_of_ours(service, body):
    for path in ROUTES:
        assert answer(service, path, body).status_code == 400


# What is read in steps ------------------------------------------------------------------------


def test_texts_that_share_a_pass_are_read_together_and_long_ones_pass_by_pass(service):
    engine = service.engine
    texts = [[5] * n for n in (3, 4, 100, 2, 70, 1)]
    assert [len(g) for g in groups(texts, 64)] == [2, 1, 1, 1, 1]
    assert [ids for g in groups(texts, 8) for ids in g] == texts
    engine.scheduler.n_batch = 32
    steps, found = vectors(engine, texts, "mean"), None
    held = []
    while found is None:
        try:
            held.append(next(steps))
        except StopIteration as e:
            found = e.value
    engine.scheduler.n_batch = 256
    passes = {3: 0, 100: 4, 2: 1, 70: 3, 1: 1}  # of the groups that are one text, as they begin
    assert held == [step for n in passes.values() for step in (*[True] * n, False)]
    assert np.array_equal(found, engine.embed(texts))


def test_calls_take_turns_and_one_that_holds_blocks_keeps_its(service):
    worker, said = service.worker, []

    def walk(name, *holds):
        def steps(engine):
            for held in holds:
                said.append(name)
                yield held
            return name

        return steps

    def several(engine):
        asked.extend([worker.call(walk("a", False, False)), worker.call(walk("b", True, True))])

    asked = []
    worker.call(several).result(PATIENCE_S)
    assert [future.result(PATIENCE_S) for future in asked] == ["a", "b"]
    assert "".join(said) in ("abba", "aabb")  # b may come when a has gone on already


def test_a_call_that_fails_or_is_cancelled_leaves_the_others(service):
    def fails(engine):
        yield False
        raise RequestError("no")

    with pytest.raises(RequestError, match="no"):
        service.worker.call(fails).result(PATIENCE_S)

    def endless(engine):
        while True:
            yield False

    asked = service.worker.call(endless)
    assert asked.cancel()
    assert service.worker.call(lambda engine: 7).result(PATIENCE_S) == 7


def test_calls_end_with_the_server():
    with Engine(n_threads=1, context=64) as engine:
        worker = Worker(engine, n_waiting=1)

        def endless(engine):
            while True:
                yield False

        asked = worker.call(endless)
        with pytest.raises(Busy):
            worker.room()
        worker.stop()
        worker.join()
        for future in (asked, worker.call(endless)):
            with pytest.raises(Closing):
                future.result(PATIENCE_S)


def test_a_long_text_is_refused_before_it_is_cut_into_tokens(service, monkeypatch):
    monkeypatch.setattr(service.tokenizer, "segment", None)
    text, most = "x" * (1 << 20), service.questions.most_bytes
    for path, body in (
        ("/v1/completions", {"prompt": text}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]}),
        ("/v1/embeddings", {"input": ["x" * (most + 1)]}),
    ):
        found = answer(service, path, json.dumps(body).encode())
        assert found.status_code == 400
        assert f"the context of 128 tokens holds at most {most}" in found.text
