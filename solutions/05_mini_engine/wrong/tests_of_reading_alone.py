"""Knows much of the file and nothing of what follows."""

import numpy as np

FAILS = {
    "tests_catch_layers": "tests-miss-bugs",
    "tests_catch_running": "tests-miss-bugs",
    "tests_catch_writing": "tests-miss-bugs",
}


import struct


def small_file(width: int = 32, alignment: int = 32) -> bytes:
    """A file of one pair and two tensors, by hand: F32 of (3,), Q8_0 of (2, width)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 1)
    head += struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, alignment)
    head += struct.pack("<Q", 1) + b"a" + struct.pack("<IqIQ", 1, 3, 0, 0)
    head += struct.pack("<Q", 1) + b"b" + struct.pack("<IqqIQ", 2, width, 2, 8, alignment)
    body = np.arange(3, dtype="<f4").tobytes().ljust(alignment, b"\0")
    block = np.float16(0.5).tobytes() + np.arange(-16, 16, dtype=np.int8).tobytes()
    return head.ljust(-(-len(head) // alignment) * alignment, b"\0") + body + 2 * block


def numbers(*shape: int) -> np.ndarray:
    """Numbers that are all different, the same at every call."""
    return np.sin(np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32) * 1.7).reshape(shape)


def refused(function: object, *args: object) -> bool:
    """Does the call end with a ValueError?"""
    try:
        function(*args)
    except ValueError:
        return True
    return False


def test_a_file_is_read(data: bytes) -> None:
    """Shapes are rows first, bytes are those of the file."""
    for alignment in (32, 64):
        metadata, tensors = read_gguf(small_file(alignment=alignment))
        assert metadata == {"general.alignment": alignment}
        assert [row[:2] for row in tensors.values()] == [(0, (3,)), (8, (2, 32))]
        assert tensors["a"][2].view("<f4").tolist() == [0, 1, 2]


def test_a_broken_file_is_refused(data: bytes) -> None:
    """Another magic, a byte missing, rows of half a block."""
    whole = small_file()
    for bad in (b"GGML" + whole[4:], whole[:-1], whole[:40], small_file(width=40)):
        assert refused(read_gguf, bad)


def test_blocks_become_numbers(data: bytes) -> None:
    """The formats, on bytes written by hand."""
    scale = np.frombuffer(np.float16(0.5).tobytes(), np.uint8)
    codes = np.arange(-16, 16, dtype=np.int8)
    got = dequantize(8, (32,), np.concatenate([scale, codes.view(np.uint8)]))
    assert np.array_equal(got, codes / 2)
    low_and_high = np.arange(16, dtype=np.uint8) + 16 * np.arange(15, -1, -1, dtype=np.uint8)
    got = dequantize(2, (32,), np.concatenate([scale, low_and_high]))
    want = np.concatenate([np.arange(16), np.arange(15, -1, -1)]) / 2 - 4
    assert np.array_equal(got, want)
    assert refused(dequantize, 99, (32,), scale)


def test_a_norm_has_its_weight_and_its_eps(data: bytes) -> None:
    """Two numbers by hand."""
    x, weight = np.array([[3.0, 4.0]], np.float32), np.array([1.0, 10.0], np.float32)
    assert np.allclose(rms_norm(x, weight, 0.0), [[3 / 12.5**0.5, 40 / 12.5**0.5]])
    assert np.allclose(rms_norm(0 * x, weight, 1e-5), 0)


def test_neighbours_turn(data: bytes) -> None:
    """The first pair turns by one radian a position, whatever the base."""
    x = np.zeros((1, 1, 4), np.float32)
    x[..., 0] = 1
    want = [np.cos(2.0), np.sin(2.0), 0, 0]
    assert np.allclose(rope(x, np.array([2]), 100.0)[0, 0], want, atol=1e-6)


def test_attention_looks_back_alone(data: bytes) -> None:
    """A query's result is what it is without the keys after it; one key is copied."""
    q, k, v = numbers(3, 4, 4), numbers(3, 2, 4), numbers(3, 2, 4)
    whole = attention(q, k, v, 0)
    assert np.allclose(whole[:2], attention(q[:2], k[:2], v[:2], 0), atol=1e-6)
    assert np.allclose(whole[0], v[0][[0, 0, 1, 1]], atol=1e-6)


def test_the_gate_is_the_first(data: bytes) -> None:
    """silu(0) is 0, whatever up says."""
    one = np.ones((1, 1), np.float32)
    assert feed_forward(one, 0 * one, one, one)[0, 0] == 0
    assert np.isclose(feed_forward(one, one, 2 * one, one)[0, 0], 2 / (1 + np.exp(-1)))


def test_a_cache_gives_back_what_it_was_given(data: bytes) -> None:
    """Keys and values apart, and a rewind forgets."""
    cache, k, v = KVCache(1, 2, 4, 5), numbers(3, 2, 4), numbers(3, 2, 4) + 5
    cache.append(0, k, v)
    assert np.array_equal(cache.read(0)[0], k)
    assert np.array_equal(cache.read(0)[1], v)
    cache.rewind(1)
    cache.append(0, k[1:2], v[1:2])
    assert cache.length() == 2
    assert refused(cache.append, 0, numbers(4, 2, 4), numbers(4, 2, 4))


def test_a_model_says_the_same_with_a_cache(data: bytes) -> None:
    """In one pass, in two, and after a rewind."""
    model = Model(data)
    cache, tokens = model.new_cache(8), [1, 5, 2, 7]
    want = model.forward(tokens)
    assert np.ptp(want, axis=0).max() > 0
    got = np.concatenate([model.forward(tokens[:3], cache), model.forward(tokens[3:], cache)])
    assert np.allclose(got, want, atol=1e-3)
    cache.rewind(2)
    assert np.allclose(model.forward(tokens[2:], cache), want[2:], atol=1e-3)


def test_a_draw_follows_u(data: bytes) -> None:
    """Three tokens of probabilities 0.5, 0.3, 0.2."""
    logits = np.log(np.array([0.5, 0.3, 0.2]))
    assert [sample(logits, u) for u in (0.1, 0.6, 0.9)] == [0, 1, 2]
    assert sample(logits, 0.9, temperature=0) == 0
    assert sample(logits, 0.99, top_k=2) == sample(logits, 0.99, top_p=0.7) == 1
    assert sample(logits, 0.99, min_p=0.5) == 1
    assert sample(logits, 0.55, temperature=0.1) == 0


def test_text_ends_where_it_should(data: bytes) -> None:
    """After n tokens, or before a stop token."""
    model = Model(data)
    text = generate(model, [1, 2, 3], 4)
    assert len(text) == 4
    logits = model.forward([1, 2, 3, *text[:-1]])
    assert text == [int(token) for token in logits[2:].argmax(axis=1)]
    assert generate(model, [1, 2, 3], 4, stop=(text[0],)) == []


TESTS = (
    test_a_file_is_read,
    test_a_broken_file_is_refused,
    test_blocks_become_numbers,
)


def self_test(data: bytes) -> list:
    """Names of the tests that fail."""
    failed = []
    for test in TESTS:
        try:
            test(data)
        except Exception:
            failed.append(test.__name__)
    return failed
