"""The untrusted end alone: what a source and a call become, without a sandbox around it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from autograder import child, wire
from autograder.request import encode_request


@pytest.fixture
def submission():
    return child.Submission(1 << 20)


def call(submission, name, *args, on=None, observe=False):
    request = {"op": "call", "name": name, "on": on, "args": list(args), "kwargs": {}}
    return submission.answer(request | {"observe": observe}, [])[0]


def load(submission, source, name="hole"):
    return submission.answer({"op": "load", "name": name, "source": source}, [])[0]


def test_holes_share_one_namespace(submission):
    load(submission, "import math\nN = 3\ndef f(x): return x + N\n", "f")
    load(submission, "def g(x): return math.floor(f(x) * N)\n", "g")
    assert call(submission, "g", 1.5) == {"value": 13}


def test_an_error_names_the_line_of_the_submission(submission):
    load(submission, "def f(x):\n    y = x\n    return y / 0\n", "rope")
    error = call(submission, "f", 1)["error"]
    assert error["tag"] == "error"
    assert error["type"] == "ZeroDivisionError"
    assert error["where"] == "rope, line 3: return y / 0"


def test_a_source_that_does_not_compile_is_an_error_with_its_line(submission):
    error = load(submission, "x = 1\ndef f(:\n", "rope")["error"]
    assert (error["type"], error["where"]) == ("SyntaxError", "rope, line 2")


@pytest.mark.parametrize(
    ("body", "tag"),
    [
        ("raise NotImplementedError", "not-implemented"),
        ("raise MemoryError", "memory"),
        ("raise SystemExit(0)", "error"),
        ("raise KeyboardInterrupt", "error"),
        ("return f()", "error"),
        ("return np.array([None])", "bad-reply"),
        ("return np.array(['a'])", "bad-reply"),
        ("return np.ones(1 << 20)", "bad-reply"),
        ("return 1 << 100000", "bad-reply"),
        ("x = []; x.append(x); return x", "bad-reply"),
    ],
)
def test_whatever_a_call_does_has_a_tag(submission, body, tag):
    load(submission, f"import numpy as np\ndef f():\n    {body}\n")
    assert call(submission, "f")["error"]["tag"] == tag


def test_a_function_that_is_not_there_is_missing(submission):
    assert call(submission, "f")["error"]["tag"] == "missing"


def test_dataclasses_and_their_methods_work_by_number(submission):
    load(
        submission,
        "from dataclasses import dataclass\n@dataclass\nclass Cache:\n    n: int = 0\n"
        "    def add(self, k):\n        self.n += k\n        return self.n\n",
    )
    number, type_name = call(submission, "Cache")["value"]["object"]
    assert type_name == "Cache"
    assert call(submission, "add", 2, on=number) == {"value": 2}
    assert call(submission, "add", 3, on=number) == {"value": 5}
    assert call(submission, "pop", on=number)["error"]["tag"] == "missing"


def test_an_observed_call_says_what_it_did_besides(submission):
    load(
        submission,
        "import warnings\ndef f(x):\n    x.append(1)\n    warnings.warn('careful')\n    return 2\n",
    )
    reply = call(submission, "f", [], observe=True)
    assert reply["args"] == [[1]]
    assert reply["warnings"] == ["UserWarning: careful"]
    assert reply["shares_memory"] is False


def test_a_view_of_an_argument_is_seen_wherever_it_is_in_the_value():
    x = np.zeros(8)
    assert child.shares_memory((1, {"k": [x[2:4]]}), [x])
    assert not child.shares_memory((1, {"k": [x[2:4].copy()]}), [x])


def test_a_subclass_of_an_array_is_sent_as_an_array(submission):
    encoder = child.Encoder(submission, 1 << 20)
    assert encoder.encode(np.ma.masked_array([1.0])) == {"array": 0}
    assert encoder.encode(np.zeros(2).view(np.recarray)) == {"array": 1}


def test_the_child_needs_nothing_of_ours():
    code = f"import sys; sys.path[:0] = [{str(np.__path__[0].removesuffix('numpy'))!r}]\n"
    code += f"import runpy; runpy.run_path({child.__file__!r}, run_name='child')\n"
    code += "print([m for m in sys.modules if m.split('.')[0] in ('autograder', 'minengine')])"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd="/"
    )
    assert ran.stdout.strip() == "[]", ran.stderr


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_a_request_is_read_whole_however_it_arrives(piece, monkeypatch):
    large = np.arange(1 << 16, dtype=np.float32)
    frame = encode_request({"id": 1}, (large, np.ones(3), large[:9], b"", b"ab"), {})
    to_read, to_write = os.pipe()
    monkeypatch.setattr(child, "REQUESTS", to_read)

    def write():
        step = piece if piece > 1 else 1 + len(frame) // 5000
        for at in range(0, len(frame), step):
            os.write(to_write, frame[at : at + step])
        os.close(to_write)

    writer = threading.Thread(target=write)
    writer.start()
    request, blobs = child.read_frame()
    got = [child.Submission(1 << 20).decode(a, blobs) for a in request["args"]]
    assert child.read_frame() is None
    writer.join()
    os.close(to_read)
    assert np.array_equal(got[0], large)
    assert np.array_equal(got[1], np.ones(3))
    assert np.array_equal(got[2], large[:9])
    assert got[3:] == [b"", b"ab"]
    assert all(a.flags.writeable and a.flags.aligned for a in got[:3])


def test_arrays_of_one_request_share_no_memory():
    sent = [np.ones(n, np.uint8) for n in (1, 3, 16, 17, 5000, 0, 2)]
    frame = wire.Frame(1 << 20)
    assert frame.feed(encode_request({"id": 1}, tuple(sent), {}))
    request, blobs = frame.parse()
    submission = child.Submission(1 << 20)
    kept = [bytearray(b) for b in blobs]
    got = [submission.decode(a, kept) for a in request["args"]]
    for i, one in enumerate(got):
        one[...] = 7
        assert not child.shares_memory(one, got[:i] + got[i + 1 :])
        for other, before in zip(got[i + 1 :], sent[i + 1 :], strict=True):
            assert np.array_equal(other, before)
