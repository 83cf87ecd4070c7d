"""What crosses the pipe: data come through unchanged, nothing else comes through at all."""

from __future__ import annotations

import contextlib
import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import child, wire
from autograder.request import encode_request

NUMBERS = [
    "?",
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    "f8",
    "c8",
    "c16",
    ">f4",
]
SHAPES = [(), (0,), (1,), (3,), (2, 3), (0, 5), (2, 1, 3)]


@st.composite
def arrays(draw) -> np.ndarray:
    dtype, shape = np.dtype(draw(st.sampled_from(NUMBERS))), draw(st.sampled_from(SHAPES))
    n = int(np.prod(shape))
    raw = draw(st.binary(min_size=n * dtype.itemsize, max_size=n * dtype.itemsize))
    if dtype.kind == "b":
        raw = bytes(b & 1 for b in raw)
    return np.frombuffer(raw, dtype).reshape(shape)


LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.complex_numbers()
    | st.text(max_size=8) | st.binary(max_size=8) | arrays()
    | st.sampled_from([np.float32(0.5), np.int64(7), np.bool_(True), np.dtype("f2")])
)  # fmt: skip
KEYS = st.integers() | st.text(max_size=4)
DATA = st.recursive(
    LEAVES,
    lambda d: st.lists(d, max_size=3)
    | st.lists(d, max_size=3).map(tuple)
    | st.dictionaries(KEYS, d, max_size=3)
    | st.sets(st.integers(), max_size=3),
    max_leaves=8,
)


def through(value):
    """A value sent to the child and given back, by the code of both ends."""
    frame = wire.Frame(1 << 20)
    assert frame.feed(encode_request({"id": 1}, (value,), {}))
    request, blobs = frame.parse()
    submission = child.Submission(1 << 20)
    received = submission.decode(request["args"][0], [bytearray(b) for b in blobs])
    encoder = child.Encoder(submission, 1 << 20)
    reply = {"id": 1, "value": encoder.encode(received)}
    out = [b"".join(map(bytes, parts)) for parts in encoder.blobs]
    return wire.Reply(json.loads(json.dumps(reply)), [memoryview(b) for b in out], None).value()


def same(a, b) -> bool:
    if isinstance(a, np.ndarray | np.generic):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and (
            a.tobytes() == b.tobytes()
        )  # fmt: skip
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or repr(a) == repr(b))


@given(DATA)
@settings(max_examples=300, deadline=None)
def test_data_come_through_both_ends_unchanged(value):
    assert same(through(value), value)


def test_a_received_array_is_a_copy_that_may_be_written():
    array = through(np.arange(4.0))
    array[0] = 7
    assert array.flags.owndata
    assert array.flags.writeable


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", NUMBERS)
def test_what_numpy_saves_is_read(dtype, order):
    array = np.asarray(np.arange(6).reshape(2, 3), dtype=dtype, order=order)
    file = io.BytesIO()
    np.save(file, array)
    assert same(wire.parse_npy(memoryview(file.getvalue())), np.ascontiguousarray(array))


def npy(header: str, data: bytes = b"") -> memoryview:
    text = header.encode()
    return memoryview(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)


HEADER = "{'descr': %s, 'fortran_order': False, 'shape': %s}\n"


@pytest.mark.parametrize(
    "blob",
    [
        npy(HEADER % ("'|O'", "(1,)"), bytes(8)),
        npy(HEADER % ("'<U4'", "(1,)"), bytes(16)),
        npy(HEADER % ("'|V8'", "(1,)"), bytes(8)),
        npy(HEADER % ("'<M8'", "(1,)"), bytes(8)),
        npy(HEADER % ("[('a', '<f4')]", "(1,)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(2,)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(1,)"), bytes(8)),
        npy(HEADER % ("'<f4'", "(-1,)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(4611686018427387904, 4)")),
        npy(HEADER % ("'<f4'", "(0, 9223372036854775808)")),
        npy(HEADER % ("'<f4'", "(0, 281474976710655, 281474976710655)")),
        npy(HEADER % ("'<f4'", "(" + "1, " * 33 + "1)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(01,)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(exit(),)"), bytes(4)),
        npy(HEADER % ("'<f4'", "(" + "9" * 4000 + ",)")),
        memoryview(b"\x93NUMPY\x02\x00" + bytes(80)),
        memoryview(b"\x80\x04\x95pickle."),
        memoryview(b""),
    ],
    ids=range(18),
)
def test_an_array_of_another_kind_or_size_is_refused(blob):
    with pytest.raises(wire.BadFrame):
        wire.parse_npy(blob)


@given(st.binary(max_size=200), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_array_or_refused(header, data):
    for blob in (
        header + data,
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data,
    ):
        with contextlib.suppress(wire.BadFrame):
            assert isinstance(wire.parse_npy(memoryview(blob)), np.ndarray)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda j: st.lists(j, max_size=4)
    | st.dictionaries(st.sampled_from([*wire.DECODERS, "value", "error", "x"]), j, max_size=2),
    max_leaves=10,
)


@given(JSON, st.sampled_from(["value", "error", "args", "kwargs", "warnings", "replies"]))
@settings(max_examples=300, deadline=None)
def test_any_reply_is_a_value_an_error_of_the_student_or_refused(anything, key):
    reply = {"value": None, "args": [], "kwargs": {}, "warnings": []} | {key: anything}
    together = [lambda r: r.each(1), lambda r: [one.value() for one in r.each(3)]]
    for read in (wire.Reply.value, lambda r: r.observation(0.0), *together):
        with contextlib.suppress(wire.BadFrame, wire.StudentError):
            read(wire.Reply(reply, [memoryview(b"x")], Owner()))


class Owner:
    def release(self, number):
        pass


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<II", wire.MAX_JSON_BYTES + 1, 0),
        struct.pack("<II", 2, wire.MAX_BLOBS + 1),
        struct.pack("<IIQ", 2, 1, 1001),
        struct.pack("<IIQQ", 2, 2, 1 << 63, 1 << 63),
        struct.pack("<II", 2, 0) + b"{}x",
    ],
)
def test_a_reply_beyond_its_caps_is_refused_before_it_is_read(head):
    with pytest.raises(wire.BadFrame):
        wire.Frame(1000).feed(head)


def test_a_frame_may_arrive_byte_by_byte():
    whole = encode_request({"id": 3}, (np.arange(3.0), b"abc"), {"eps": 1e-5})
    frame = wire.Frame(1000)
    assert [frame.feed(whole[i : i + 1]) for i in range(len(whole))] == [False] * (
        len(whole) - 1
    ) + [True]
    assert frame.parse()[0]["kwargs"] == {"eps": 1e-5}


@pytest.mark.parametrize(
    "value",
    [
        {"dict": [[i * ((1 << 61) - 1), 0] for i in range(wire.MAX_KEYS + 1)]},
        [None] * (wire.MAX_VALUES + 1),
        {"list": []},
        {"array": 0, "tuple": []},
        {"array": 5},
        {"array": True},
        {"dtype": "O"},
        {"dict": [[[], 1]]},
        {"complex": "ab"},
        {"tuple": 7},
    ],
    ids=range(10),
)
def test_a_value_that_no_honest_child_writes_is_refused(value):
    with pytest.raises(wire.BadFrame):
        wire.Reply({"value": value}, [], Owner()).value()


def test_text_of_a_submission_can_drive_no_terminal():
    text = wire.clean_text("a\x1b[31m\x07\u202e\ud800\x9b" + "b" * 5000)
    assert set(text) <= set("ab[31m\ufffd")
    assert len(text) <= wire.MAX_TEXT
    text.encode()


def test_what_is_no_data_is_not_sent():
    for value in (object(), np.array([object()]), lambda: 1):
        with pytest.raises(TypeError):
            encode_request({}, (value,), {})
