"""The server as its clients see it: a real one on a port, plain HTTP and openai's own client."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import jsonschema
import numpy as np
import openai
import pytest

from minengine import Engine, oracle
from minengine.chat import ChatTemplate
from minengine.sampling import PARAMETERS
from minengine.server import connections
from minengine.server.app import LARGEST_BODY
from minengine.server.connections import Server, listen
from minengine.server.worker import Closing

PROGRAM = [sys.executable, "-c", "from minengine.cli.main import main; main()"]
PATIENCE_S = 30  # until something that must come has to be there
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who's there?"}]


class Running:
    """A server of this process on a free port, and a client for it."""

    def __init__(self, queue: str = "fcfs", **options) -> None:
        self.engine = Engine(n_threads=1, queue=queue)
        self.server = Server(self.engine, model="tiny", version="0", **options)
        self.socket = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.worker = self.server.worker
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)
        self.thread.start()
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_S)

    def post(self, path: str, **body) -> dict:
        answer = self.http.post(f"/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, **body) -> tuple[int, dict]:
        answer = self.http.post(f"/v1/{path}", json=body)
        return answer.status_code, answer.json()["error"]

    def stream(self, path: str, **body) -> list[dict]:
        """The chunks of a stream, which has to end with [DONE]."""
        with self.http.stream("POST", f"/v1/{path}", json=body | {"stream": True}) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line for line in answer.iter_lines() if line]
        assert lines.pop() == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    def settled(self) -> bool:
        """Whether nothing is under way any more, within patience."""
        return soon(lambda: not self.worker.n_jobs and self.engine.pool.n_used == 0)

    def paused(self):
        """A context in which the engine does nothing, so that what comes has to wait."""
        return Pause(self.worker)

    def close(self) -> None:
        self.http.close()
        self.server.handle_exit(signal.SIGINT, None)
        self.thread.join(PATIENCE_S)
        self.socket.close()
        self.engine.close()


def soon(holds: Callable[[], bool]) -> bool:
    """Whether something comes true within patience."""
    until = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


class Pause:
    def __init__(self, worker) -> None:
        self.worker, self.go_on = worker, threading.Event()

    def __enter__(self):
        held = threading.Event()
        # not a call, which would take a place of those that wait
        self.worker._inbox.put(lambda: (held.set(), self.go_on.wait(PATIENCE_S)))
        assert held.wait(PATIENCE_S)

    def __exit__(self, *_) -> None:
        self.go_on.set()


@pytest.fixture(scope="module")
def running():
    made = Running()
    yield made
    made.close()


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1) as e:
        yield e


def alone(engine: Engine, prompt, **options) -> str:
    return "".join(engine.generate(prompt, **options))


def logprobs(engine: Engine, ids: list[int]) -> np.ndarray:
    """``ln p`` of every token but the first after those before it."""
    p = oracle.softmax(engine.logits(ids[:-1]))
    return np.log(p[np.arange(len(p)), ids[1:]])


def texts(chunks: list[dict]) -> str:
    return "".join(c["text"] for chunk in chunks for c in chunk["choices"])


def test_a_completion_is_what_the_engine_writes(running, engine):
    options = {"max_tokens": 20, "seed": 4, "temperature": 1.2, "top_k": 7}
    found = running.post("completions", prompt="ROMEO:", **options)
    choice = found["choices"][0]
    assert choice["text"] == alone(engine, "ROMEO:", **options)
    assert (choice["finish_reason"], choice["index"], choice["logprobs"]) == ("length", 0, None)
    assert (found["object"], found["model"]) == ("text_completion", "tiny")
    assert found["usage"]["prompt_tokens"] == len(engine.tokenize("ROMEO:"))
    assert found["usage"]["completion_tokens"] == 20
    ids = engine.tokenize("ROMEO:")
    again = running.post("completions", prompt=ids, **options)
    assert again["choices"][0]["text"] == choice["text"]


def test_a_stream_says_the_same_in_pieces(running, engine):
    options = {"max_tokens": 20, "seed": 4}
    chunks = running.stream("completions", prompt="ROMEO:", **options)
    assert len(chunks) > 5
    assert texts(chunks) == alone(engine, "ROMEO:", **options)
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + [
        "length"
    ]
    assert len({(c["id"], c["created"], c["object"]) for c in chunks}) == 1


def test_a_chat_is_written_with_the_models_template(running, engine):
    template = ChatTemplate(engine.model.file.metadata, engine.tokenizer)
    options = {"max_tokens": 12, "seed": 2}
    want = alone(engine, template.encode(MESSAGES), **options)
    found = running.post("chat/completions", messages=MESSAGES, **options)
    assert found["choices"][0]["message"] == {
        "role": "assistant", "content": want, "refusal": None,
    }  # fmt: skip
    chunks = running.stream(
        "chat/completions", messages=MESSAGES, stream_options={"include_usage": True}, **options
    )
    *said, last = chunks
    deltas = [c["choices"][0]["delta"] for c in said]
    assert deltas[0]["role"] == "assistant"
    assert "".join(d.get("content", "") for d in deltas) == want
    assert all(c["usage"] is None for c in said)
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 12)


def test_many_clients_at_once_get_what_each_gets_alone(running, engine):
    prompts = ["ROMEO:", "KING HENRY:\nWhat, ", "é😀 한국어", "First Citizen:\n" * 9, "a"] * 3
    options = [{"max_tokens": 8 + n, "seed": n, "temperature": 1.0} for n in range(len(prompts))]
    want = [alone(engine, p, **o) for p, o in zip(prompts, options, strict=True)]

    def ask(n: int) -> str:
        if n % 2:
            return texts(running.stream("completions", prompt=prompts[n], **options[n]))
        return running.post("completions", prompt=prompts[n], **options[n])["choices"][0]["text"]

    with ThreadPoolExecutor(len(prompts)) as pool:
        assert list(pool.map(ask, range(len(prompts)))) == want
    assert running.settled()


def test_several_prompts_and_choices_come_in_order_each_with_a_seed_of_its_own(running, engine):
    found = running.post("completions", prompt=["ROMEO:", "KING"], n=2, seed=5, max_tokens=6)
    want = [alone(engine, p, seed=s, max_tokens=6) for p in ("ROMEO:", "KING") for s in (5, 6)]
    assert [c["text"] for c in found["choices"]] == want
    assert [c["index"] for c in found["choices"]] == [0, 1, 2, 3]
    assert found["usage"]["completion_tokens"] == 24
    chunks = running.stream("completions", prompt=["ROMEO:", "KING"], n=2, seed=5, max_tokens=6)
    for index, text in enumerate(want):
        assert texts([c for c in chunks if c["choices"][0]["index"] == index]) == text


def test_an_answer_ends_before_a_stop_and_no_part_of_it_is_said(running, engine):
    options = {"prompt": "ROMEO:", "seed": 1, "max_tokens": 60, "temperature": 1.0}
    whole = running.post("completions", **options)["choices"][0]["text"]
    stop = whole[20:26]
    chunks = running.stream("completions", stop=["never", stop], logprobs=0, **options)
    assert texts(chunks) == whole[: whole.index(stop)]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    told = [c["choices"][0]["logprobs"] for c in chunks]
    assert all(n < whole.index(stop) for part in told for n in part["text_offset"])
    assert running.settled()


def test_a_model_that_ends_its_answer_is_finished_by_stop(running, engine):
    prompt = "ROMEO:"
    first = engine.generate(prompt, greedy=True, max_tokens=3)
    text = "".join(first)
    end = first.sequence.tokens[-1]
    try:
        running.engine.tokenizer.ends = {end}
        found = running.post("completions", prompt=prompt, greedy=True, logprobs=1)
    finally:
        running.engine.tokenizer.ends = engine.tokenizer.ends
    choice = found["choices"][0]
    assert text.startswith(choice["text"])
    assert choice["finish_reason"] == "stop"
    assert len(choice["logprobs"]["tokens"]) == found["usage"]["completion_tokens"] == 2


def test_a_prompt_that_was_there_before_is_counted_as_cached(running):
    prompt = "Before we proceed any further, hear me speak. " * 5
    first = running.post("completions", prompt=prompt, max_tokens=1)["usage"]
    again = running.post("completions", prompt=prompt, max_tokens=1)["usage"]
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert again["prompt_tokens_details"]["cached_tokens"] >= first["prompt_tokens"] // 2


def test_log_probabilities_are_those_of_the_network(running, engine):
    options = {"prompt": "ROMEO:", "max_tokens": 5, "seed": 3}
    found = running.post("completions", logprobs=3, echo=True, **options)["choices"][0]
    ids = engine.tokenize("ROMEO:" + found["text"].removeprefix("ROMEO:"))
    sequence = engine.generate(**options)
    answer = "".join(sequence)
    ids = sequence.sequence.tokens
    want = logprobs(engine, ids)
    told = found["logprobs"]
    assert found["text"] == "ROMEO:" + answer
    np.testing.assert_allclose(told["token_logprobs"], want, rtol=1e-6)
    assert "".join(told["tokens"]) == found["text"]
    assert told["text_offset"] == [len("".join(told["tokens"][:n])) for n in range(len(ids) - 1)]
    assert all(len(top) in (3, 4) for top in told["top_logprobs"])
    chat = running.post(
        "chat/completions", messages=MESSAGES, logprobs=True, top_logprobs=2, max_tokens=4
    )
    for token in chat["choices"][0]["logprobs"]["content"]:
        assert bytes(token["bytes"]).decode() == token["token"]
        first, second = (t["logprob"] for t in token["top_logprobs"])
        assert first >= second
        assert first >= token["logprob"]


def test_echo_without_an_answer_scores_a_text(running, engine):
    found = running.post("completions", prompt="To be", echo=True, max_tokens=0, logprobs=0)
    choice = found["choices"][0]
    ids = engine.tokenize("To be")
    want = logprobs(engine, ids)
    assert (choice["text"], choice["finish_reason"]) == ("To be", "length")
    np.testing.assert_allclose(choice["logprobs"]["token_logprobs"], want, rtol=1e-6)
    assert found["usage"]["completion_tokens"] == 0
    assert running.settled()


def test_every_sampling_parameter_of_ours_and_the_bias_of_a_token_are_taken(running, engine):
    defaults = {p.name: p.default for p in PARAMETERS.values()}
    found = running.post("completions", prompt="ROMEO:", seed=1, max_tokens=9, **defaults)
    assert found["choices"][0]["text"] == alone(engine, "ROMEO:", seed=1, max_tokens=9)
    token = engine.tokenize("x", add_special=False)[0]
    found = running.post(
        "completions", prompt="ROMEO:", logit_bias={str(token): 100}, max_tokens=4, samplers=[],
        presence_penalty=0.5, frequency_penalty=0.5,
    )  # fmt: skip
    assert found["choices"][0]["text"] == "xxxx"


def test_a_client_that_goes_away_in_the_middle_of_its_question_is_no_error(running, caplog):
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b'POST /v1/completions HTTP/1.1\r\nContent-Length: 99\r\nHost: x\r\n\r\n{"a')
    assert running.http.get("/health").status_code == 200
    assert running.settled()
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_part_of_the_cache(running, stream):
    body = json.dumps({"prompt": "ROMEO:", "max_tokens": 500, "stream": stream, "n": 4}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = running.url.removeprefix("http://").split(":")
    with running.paused(), socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body)
        assert soon(lambda: running.worker.n_jobs == 1)
    assert running.settled()
    assert not running.engine.scheduler.waiting
    assert not running.engine.scheduler.running


def test_one_request_too_many_is_told_to_come_again():
    made = Running(n_waiting=2)
    with ThreadPoolExecutor(2) as pool, made.paused():
        asked = [pool.submit(made.post, "completions", prompt="a") for _ in range(2)]
        assert soon(lambda: made.worker.n_jobs == 2)
        answer = made.http.post("/v1/completions", json={"prompt": "a"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["error"]["message"] == "2 requests wait, want at most 2"
    assert all(a.result()["choices"] for a in asked)
    assert made.post("completions", prompt="a")["choices"]
    made.close()


REFUSED = [
    ("completions", {}, "prompt: missing, want a text, token ids, or a list of these", "prompt"),
    ("completions", {"prompt": 5}, "prompt: got 5, want a text, token ids", "prompt"),
    ("completions", {"prompt": []}, "prompt: got [], want", "prompt"),
    ("completions", {"prompt": [99999]}, "token id 99999: the vocabulary has", None),
    ("completions", {"prompt": "x" * 3000}, "3001 tokens: the context holds 512", None),
    ("completions", {"prompt": "a", "temprature": 1}, "no such field; there is temperature", None),
    ("completions", {"prompt": "a", "temperature": "hot"}, "want a number", "temperature"),
    ("completions", {"prompt": "a", "temperature": -1}, "want at least 0", "temperature"),
    ("completions", {"prompt": "a", "max_tokens": 1.5}, "max_tokens: got 1.5, want", "max_tokens"),
    ("completions", {"prompt": "a", "max_tokens": 0}, "unless echo is true", "max_tokens"),
    ("completions", {"prompt": "a", "n": 0}, "n: got 0, want a whole number from 1 to 16", "n"),
    ("completions", {"prompt": "a", "n": True}, "n: got true, want a whole number", "n"),
    ("completions", {"prompt": "a", "stop": [""]}, 'stop: got [""], want a text', "stop"),
    ("completions", {"prompt": "a", "seed": -1}, "seed: got -1", "seed"),
    ("completions", {"prompt": "a", "stream": 1}, "stream: got 1, want true or false", "stream"),
    ("completions", {"prompt": "a", "logit_bias": {"x": 1}}, "logit_bias: got", "logit_bias"),
    ("completions", {"prompt": "a", "logit_bias": {"4": 101}}, "from -100 to 100", "logit_bias"),
    ("completions", {"prompt": "a", "logit_bias": {"9999": 1}}, "got token 9999", "logit_bias"),
    ("completions", {"prompt": "a", "logprobs": 21}, "from 0 to 20", "logprobs"),
    ("completions", {"prompt": "a", "best_of": 3}, "best_of: got 3, want the same", "best_of"),
    ("completions", {"prompt": "a", "suffix": "b"}, "suffix: got", "suffix"),
    ("completions", {"prompt": "a", "samplers": ["x"]}, "want at most 32 of", "samplers"),
    ("completions", {"prompt": "a", "mirostat": 3}, "mirostat: got 3", "mirostat"),
    (
        "completions", {"prompt": "a", "stream_options": {"include_usage": True}},
        "want stream true too", "stream_options",
    ),
    ("chat/completions", {}, "messages: missing, want a list of messages", "messages"),
    ("chat/completions", {"messages": [5]}, "messages[0]: got 5, want an object", "messages"),
    (
        "chat/completions", {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        "messages[0].content[0].type: got 'image_url', want text", "messages",
    ),
    (
        "chat/completions", {"messages": MESSAGES, "top_logprobs": 2},
        "want logprobs true too", "top_logprobs",
    ),
    (
        "chat/completions", {"messages": MESSAGES, "response_format": {"type": "xml"}},
        "response_format: got", "response_format",
    ),
    (
        "chat/completions", {"messages": MESSAGES, "chat_template_kwargs": {"tools": 1}},
        "fields of their own", None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "words", "param"), REFUSED)
def test_a_bad_request_is_said_in_openais_shape_with_name_got_and_want(
    running, path, body, words, param
):
    status, error = running.refused(path, **body)
    assert status == 400
    assert words in error["message"]
    assert (error["type"], error["code"]) == ("invalid_request_error", None)
    assert param is None or error["param"] == param


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b'{"prompt": NaN}', b"\xff", b'{"a":' * 9999, b"null"]
)
def test_a_body_that_is_no_object_is_refused(running, body):
    answer = running.http.post("/v1/completions", content=body)
    assert answer.status_code == 400
    assert re.search("the body", answer.json()["error"]["message"])


def test_unknown_paths_methods_and_large_bodies_are_refused_in_the_same_shape(running):
    for answer, status in (
        (running.http.get("/v2/models"), 404),
        (running.http.get("/v1/models/other"), 404),
        (running.http.get("/v1/completions"), 405),
        (running.http.post("/v1/completions", content=b"x" * (LARGEST_BODY + 1)), 413),
    ):
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_model_and_its_health_are_told(running):
    found = running.http.get("/v1/models").json()["data"]
    assert [m["id"] for m in found] == ["tiny"]
    assert running.http.get("/v1/models/tiny").json() == found[0]
    before = running.http.get("/health").json()
    usage = running.post("completions", prompt="What news on the Rialto?", max_tokens=3)["usage"]
    found = running.http.get("/health").json()
    assert (found["status"], found["requests"]) == ("ok", {"running": 0, "waiting": 0})
    assert found["blocks"]["used"] == 0
    assert found["blocks"]["free"] == running.engine.pool.n_blocks
    gained = {k: found["tokens"][k] - before["tokens"][k] for k in ("prompt", "generated")}
    assert gained == {"prompt": usage["prompt_tokens"], "generated": 3}
    with ThreadPoolExecutor(1) as pool, running.paused():
        asked = pool.submit(running.post, "completions", prompt="a")
        assert soon(lambda: running.worker.n_jobs == 1)
        assert running.http.get("/health").json()["requests"] == {"running": 0, "waiting": 1}
    asked.result()


def test_without_the_key_there_is_no_answer():
    made = Running(api_key="secret")
    try:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "é"}):
            answer = made.http.get(
                "/v1/models", headers={k: v.encode() for k, v in headers.items()}
            )
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"
        good = made.http.get("/v1/models", headers={"authorization": "Bearer secret"})
        assert good.status_code == 200
        assert made.http.get("/health").status_code == 200
    finally:
        made.close()


def test_a_pass_that_breaks_ends_every_answer_with_an_error_and_the_server_goes_on(
    running, engine, monkeypatch
):
    def fail(batch, **options):
        raise MemoryError("no more")

    monkeypatch.setattr(running.engine, "_forward", fail)
    status, error = running.refused("completions", prompt="ROMEO:")
    assert (status, error["type"]) == (500, "server_error")
    chunks = running.stream("completions", prompt="a", n=2)
    assert [c["error"]["message"] for c in chunks] == ["MemoryError: no more"]
    monkeypatch.undo()
    found = running.post("completions", prompt="ROMEO:", seed=1)
    assert found["choices"][0]["text"] == alone(engine, "ROMEO:", seed=1, max_tokens=16)
    assert running.settled()


def test_requests_of_several_clients_share_every_pass(running, engine, monkeypatch):
    passes, forward = [], running.engine._forward

    def counted(batch, **options):
        passes.append(len(batch.block_tables))
        return forward(batch, **options)

    monkeypatch.setattr(running.engine, "_forward", counted)
    with ThreadPoolExecutor(4) as pool:
        with running.paused():
            asked = [
                pool.submit(running.post, "completions", prompt=p, seed=1, max_tokens=10)
                for p in "abcd"
            ]
            assert soon(lambda: running.worker.n_jobs == 4)
        told = [a.result()["choices"][0]["text"] for a in asked]
    assert told == [alone(engine, p, seed=1, max_tokens=10) for p in "abcd"]
    assert max(passes) == 4
    assert len(passes) <= 20  # and not 40; one that began a pass late makes a few more


def test_a_cache_without_room_is_said_and_the_next_request_is_served(running):
    pool = running.engine.pool
    held = running.worker.call(lambda _: pool.allocate(pool.n_free)).result()
    status, error = running.refused("completions", prompt="ROMEO:")
    assert (status, error["code"]) == (503, "out_of_memory")
    running.worker.call(lambda _: pool.free(held)).result()
    assert running.post("completions", prompt="ROMEO:", max_tokens=3)["choices"]
    assert running.settled()


def test_answers_under_way_end_when_the_server_is_stopped():
    made = Running()
    with ThreadPoolExecutor(1) as pool, made.paused():
        body = {"prompt": "a", "max_tokens": 500}
        asked = pool.submit(made.http.post, "/v1/completions", json=body)
        assert soon(lambda: made.worker.n_jobs == 1)
        made.worker.stop()
    answer = asked.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "closing")
    with pytest.raises(Closing):
        made.worker.begin([])
    made.close()


def test_openais_own_client_is_served(running, engine):
    client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == ["tiny"]
    chat = {"model": "tiny", "messages": MESSAGES, "max_tokens": 10, "seed": 7}
    whole = client.chat.completions.create(**chat, extra_body={"min_p": 0.01})
    pieces = client.chat.completions.create(
        **chat, extra_body={"min_p": 0.01}, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(pieces)
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens == 10
    found = client.completions.create(model="tiny", prompt="ROMEO:", max_tokens=5, logprobs=1)
    assert len(found.choices[0].logprobs.tokens) == 5
    with pytest.raises(openai.BadRequestError, match="temperature: got -1"):
        client.chat.completions.create(**chat, temperature=-1)
    with client.chat.completions.create(**(chat | {"max_tokens": 400}), stream=True) as stream:
        next(iter(stream))
    client.close()
    assert running.settled()


# Grammars -------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object", "required": ["age"], "additionalProperties": False,
    "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer"}},
}  # fmt: skip


def json_schema(schema) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}


def test_an_answer_is_within_the_grammar_or_schema_that_was_asked_for(running, engine):
    options = {"max_tokens": 200, "seed": 3}
    grammar = 'root ::= "[" [0-9]{3} "]"'
    for chunks in (
        [running.post("completions", prompt="a", grammar=grammar, **options)],
        running.stream("completions", prompt="a", grammar=grammar, **options),
    ):
        assert re.fullmatch(r"\[[0-9]{3}\]", texts(chunks))
    for path, asked in (
        ("chat/completions", {"messages": MESSAGES}), ("completions", {"prompt": "x"})
    ):  # fmt: skip
        found = running.post(path, response_format=json_schema(SCHEMA), **asked, **options)
        choice = found["choices"][0]
        assert choice["finish_reason"] == "stop"
        said = choice["message"]["content"] if "message" in choice else choice["text"]
        jsonschema.validate(json.loads(said), SCHEMA)
    found = running.post(
        "completions", prompt="x", response_format={"type": "json_object"}, **options
    )
    assert found["choices"][0]["text"].startswith("{")


def test_a_grammar_asked_for_again_is_read_once(running):
    remembered, grammar = running.server.service.questions.grammar, 'root ::= "again"'
    before = remembered.cache_info()
    for _ in range(3):
        running.post("completions", prompt="a", grammar=grammar)
    after = remembered.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)


@pytest.mark.parametrize(
    ("asked", "words", "param"),
    [
        ({"grammar": "root ::= x"}, "grammar 1:10: got 'x' in rule root", "grammar"),
        ({"grammar": "root ::= <[5000]>"}, "grammar 1:10: token 5000: the vocabulary", "grammar"),
        ({"grammar": "x" * 70_000}, "want a text of at most 65536 characters", "grammar"),
        ({"response_format": json_schema({"type": "string", "pattern": "a"})},
         "response_format: json schema #: got the keyword pattern", "response_format"),
        ({"response_format": json_schema({"enum": ["x" * 70_000]})},
         "response_format: want a schema of at most 65536", "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format: got", "response_format"),
        ({"response_format": json_schema(True), "grammar": 'root ::= "a"'},
         "got one beside response_format, want one of them", "grammar"),
    ],
)  # fmt: skip
def test_a_grammar_that_is_none_is_refused_with_the_place(running, asked, words, param):
    for path, main in (
        ("completions", {"prompt": "a"}),
        ("chat/completions", {"messages": MESSAGES}),
    ):
        status, error = running.refused(path, **main, **asked)
        assert (status, error["param"]) == (400, param)
        assert words in error["message"]


def test_a_grammar_that_can_not_go_on_fails_its_own_request_alone(running, engine):
    vocabulary = running.engine._vocabulary
    with ThreadPoolExecutor(2) as pool, running.paused():
        vocabulary.ends, kept = frozenset(), vocabulary.ends
        stuck = pool.submit(running.refused, "completions", prompt="a", grammar='root ::= "a"')
        other = pool.submit(running.post, "completions", prompt="ROMEO:", seed=1)
        assert soon(lambda: running.worker.n_jobs == 2)
    status, error = stuck.result()
    assert (status, error["message"]) == (400, "grammar: the vocabulary lacks an end token")
    want = alone(engine, "ROMEO:", seed=1, max_tokens=16)
    assert other.result()["choices"][0]["text"] == want
    vocabulary.ends = kept
    assert running.settled()


# Embeddings -----------------------------------------------------------------------------------


def test_embeddings_are_the_engines_by_openais_own_client(running, engine):
    client = openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)
    said = ["ROMEO:", "To be, or not to be", "What news?\n" * 40, "é😀"]
    want = engine.embed(said)
    for options in ({}, {"encoding_format": "float"}, {"dimensions": want.shape[1]}):
        found = client.embeddings.create(model="tiny", input=said, **options)
        np.testing.assert_array_equal(np.float32([row.embedding for row in found.data]), want)
        assert [row.index for row in found.data] == [0, 1, 2, 3]
        assert found.usage.prompt_tokens == sum(len(engine.tokenize(t)) for t in said)
    ids = engine.tokenize(said[0])
    for asked in (said[0], ids, [ids]):
        one = client.embeddings.create(model="tiny", input=asked).data
        np.testing.assert_array_equal(np.float32(one[0].embedding), want[0])
    last = client.embeddings.create(model="tiny", input=said, extra_body={"pooling": "last"})
    np.testing.assert_array_equal(
        np.float32([row.embedding for row in last.data]), engine.embed(said, pooling="last")
    )
    with pytest.raises(openai.BadRequestError, match="dimensions: got 7, want 256"):
        client.embeddings.create(model="tiny", input="x", dimensions=7)
    with pytest.raises(openai.BadRequestError, match=r"input\[1\]: 601 tokens: the context holds"):
        client.embeddings.create(model="tiny", input=["x", "x" * 600])
    client.close()


def test_many_texts_to_embed_leave_every_other_pass_to_the_answers_under_way(running, monkeypatch):
    passes, forward = [], running.engine._forward

    def noted(batch, **options):
        passes.append("text" if options.get("hidden") else "answer")
        return forward(batch, **options)

    monkeypatch.setattr(running.engine, "_forward", noted)
    with ThreadPoolExecutor(2) as pool:
        with running.paused():
            embed = pool.submit(running.post, "embeddings", input=["What news? " * 40] * 20)
            assert soon(lambda: running.worker.n_jobs == 1)
            asked = pool.submit(running.post, "completions", prompt="ROMEO:", max_tokens=12)
            assert soon(lambda: running.worker.n_jobs == 2)
        assert len(embed.result()["data"]) == 20
        asked.result()
    first, last = passes.index("answer"), len(passes) - passes[::-1].index("answer")
    assert passes.count("answer") >= 12
    assert "texttext" not in "".join(passes[first:last])
    assert passes[last - 1 :].count("text") > 5  # and the texts were not all read before


def test_a_client_that_goes_away_is_not_embedded_any_further(running, monkeypatch):
    body = json.dumps({"input": ["What news? " * 40] * 200}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = running.url.removeprefix("http://").split(":")
    passes, forward = [], running.engine._forward
    monkeypatch.setattr(
        running.engine, "_forward", lambda *a, **o: (passes.append(1), forward(*a, **o))[1]
    )
    with running.paused(), socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body)
        assert soon(lambda: running.worker.n_jobs == 1)
    assert running.settled()
    assert len(passes) < 200


# One user beside another ----------------------------------------------------------------------


def until_served(queue: str) -> int:
    """How many passes one user's request takes beside the sixty of another one."""
    made = Running(queue, n_waiting=100)
    passes, forward = [], made.engine._forward
    made.engine._forward = lambda *a, **o: (passes.append(1), forward(*a, **o))[1]
    with ThreadPoolExecutor(61) as pool:
        with made.paused():
            flood = [
                pool.submit(made.post, "completions", prompt="a", user="many", max_tokens=20)
                for _ in range(60)
            ]
            assert soon(lambda: made.worker.n_jobs == 60)
            asked = pool.submit(
                made.post, "completions", prompt="b", safety_identifier="one", max_tokens=1
            )
            assert soon(lambda: made.worker.n_jobs == 61)
        asked.result()
        n_passes = len(passes)
        assert all(f.result()["choices"] for f in flood)
    made.close()
    return n_passes


def test_a_flood_of_one_user_does_not_hold_up_another_in_a_fair_queue():
    # sixteen run at once, 20 passes long: the next begins when they end, or after all sixty
    assert until_served("fair") < 30 < 60 < until_served("fcfs")


def test_a_fair_queue_keeps_a_quarter_of_its_places_for_users_who_have_none():
    made = Running("fair", n_waiting=4)
    with ThreadPoolExecutor(4) as pool, made.paused():
        asked = [pool.submit(made.post, "completions", prompt="a", user="many") for _ in range(3)]
        assert soon(lambda: made.worker.n_jobs == 3)
        status, error = made.refused("completions", prompt="a", user="many")
        assert (status, error["message"]) == (429, "3 requests of user 'many' wait, want at most 3")
        asked.append(pool.submit(made.post, "completions", prompt="a", user="one"))
        assert soon(lambda: made.worker.n_jobs == 4)
    assert all(a.result()["choices"] for a in asked)
    made.close()


# Connections ----------------------------------------------------------------------------------


def test_a_thousand_silent_connections_leave_the_server_answering(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    made = Running()
    host, port = made.url.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(1000)]
    try:
        assert soon(lambda: not made.server.server_state.connections)
        assert made.post("completions", prompt="a")["choices"]
    finally:
        for client in silent:
            client.close()
        made.close()


def test_a_client_that_does_not_read_its_stream_is_left_and_its_blocks_are_free(monkeypatch):
    monkeypatch.setattr(connections, "STALL_S", 0.5)
    made = Running()
    body = json.dumps(
        {"prompt": ["a"] * 16, "n": 4, "max_tokens": 200, "stream": True, "logprobs": 20}
    ).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = made.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    try:
        client.sendall(head.encode() + body)
        assert soon(lambda: made.worker.n_jobs == 16)
        assert soon(lambda: not made.server.server_state.connections)
        assert made.settled()
        assert made.worker.served["generated"] < 16 * 4 * 200
    finally:
        client.close()
        made.close()


# The command ----------------------------------------------------------------------------------


def start(*args) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.Popen([*PROGRAM, "serve", *args], text=True, env=environment, **pipes)


def test_the_command_serves_until_ctrl_c_even_while_it_answers():
    process = start("--port", "0")
    line = process.stderr.readline()
    url = re.search(r"^tiny-shakespeare at (http://127\.0\.0\.1:\d+)/v1, Ctrl-C stops it", line)[1]
    body = {"prompt": "ROMEO:", "max_tokens": 500, "stream": True, "n": 16}
    with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=PATIENCE_S) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        process.send_signal(signal.SIGINT)
        rest = "\n".join(lines)
    assert "the server is being stopped" in rest
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, "", "stopped\n")


def test_a_port_that_is_taken_is_one_line_before_any_model_is_loaded():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port), "--model", "none.gguf")
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (2, "")
    assert err == (
        f"minengine: 127.0.0.1 port {port}: Address already in use;"
        " --host and --port choose others\n"
    )
