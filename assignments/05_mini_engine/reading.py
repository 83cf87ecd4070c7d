"""Checks of the file: metadata, tensors, what must be refused, and the four formats of numbers.

Owns: checks of `read_gguf` and `dequantize`. Must not know: solutions, sandboxes. Read before:
files.py.
"""

from __future__ import annotations

from typing import Any

import files
import numpy as np
from files import F16, F32, FLOAT, LIST, Q4_0, Q8_0, TEXT, U32, Layout, Tensor

from autograder.checks import CheckFailed, check, close, expect_dtype, expect_shape, require

WORDS = ("llama", "Ω and ß", "", "two words", "tiny")
LIMITS = {0: (0, 255), 1: (-128, 127), 2: (0, 65535), 3: (-32768, 32767), 4: (0, 2**32 - 1),
          5: (-(2**31), 2**31 - 1), 10: (0, 2**63 - 1), 11: (-(2**62), 2**62)}  # fmt: skip


def pairs_of(rng: np.random.Generator) -> list[tuple[str, int, Any]]:
    """One pair of every type, and an array of every type; whole numbers near both ends."""
    found: list[tuple[str, int, Any]] = []
    for kind, (low, high) in LIMITS.items():
        values = [low, high, int(rng.integers(low // 2, high // 2, endpoint=True))]
        found.append((f"whole.{kind}", kind, values[int(rng.integers(3))]))
        found.append((f"wholes.{kind}", LIST, (kind, values)))
    found += [("single", FLOAT, float(np.float32(rng.normal()))), ("double", 12, rng.normal())]
    found += [("yes", 7, True), ("no", 7, False), ("text", TEXT, str(rng.choice(WORDS)))]
    found += [("texts", LIST, (TEXT, [str(w) for w in rng.permutation(WORDS)]))]
    found += [("flags", LIST, (7, [True, False])), ("none", LIST, (U32, []))]
    found += [("singles", LIST, (FLOAT, [float(np.float32(v)) for v in rng.normal(size=3)]))]
    return [found[i] for i in rng.permutation(len(found))]


def some_tensors(rng: np.random.Generator) -> list[tuple[str, Tensor]]:
    """Tensors of all kinds, of one to three dimensions; not all fill whole lines of 32 bytes."""
    shapes = {"a": (F32, (3,)), "b": (Q8_0, (3, 64)), "c": (F16, (5, 7)), "d": (Q4_0, (2, 96)),
              "e": (F32, (2, 3, 4))}  # fmt: skip
    names = [str(n) for n in rng.permutation(list(shapes))]
    return [(f"{n}.weight", files.tensor(rng, *shapes[n])) for n in names]


def read(student: Any, data: bytes, what: str) -> tuple[dict, dict]:
    """The student's two dicts; a failure says what came instead."""
    got = student.read_gguf(data)
    is_pair = isinstance(got, tuple | list) and len(got) == 2
    require(is_pair, f"{what}: got {type(got).__name__}, want (metadata, tensors)", "wrong-type")
    for part, name in zip(got, ("metadata", "tensors"), strict=True):
        kind = type(part).__name__
        require(isinstance(part, dict), f"{what}: {name} is a {kind}, want a dict", "wrong-type")
    return got[0], got[1]


def same_value(got: Any, want: Any) -> bool:
    """Equal as a reader's result may be: an array or a tuple is as good as a list."""
    if isinstance(want, list):
        values = got.tolist() if isinstance(got, np.ndarray) else got
        there = isinstance(values, list | tuple) and len(values) == len(want)
        return there and all(map(same_value, values, want))
    if isinstance(want, str):
        return isinstance(got, str) and got == want
    return isinstance(got, bool | int | float | np.generic) and bool(got == want)


@check(hole="read_gguf", points=2, title="metadata of every type")
def gguf_metadata(student, rng):
    pairs = pairs_of(rng)
    version = int(rng.integers(2, 4))
    data = files.pack(pairs, some_tensors(rng), Layout(version=version))
    metadata, _ = read(student, data, "read_gguf")
    want = {key: list(v[1]) if kind == LIST else v for key, kind, v in pairs}
    lost = sorted(set(want) ^ set(metadata))
    require(not lost, f"keys that only one of us has: {', '.join(map(str, lost))}", "keys-differ")
    for key, kind, _ in pairs:
        got = metadata[key]
        if not same_value(got, want[key]):
            first = got[0] if isinstance(got, list) and got else got
            tag = "text-as-bytes" if isinstance(first, bytes) else "metadata-value"
            tag = sign_lost(got, want[key]) or tag
            said = f"{key} (value type {kind}): got {got!r:.80}, want {want[key]!r:.80}"
            raise CheckFailed(tag, said)


def sign_lost(got: Any, want: Any) -> str:
    """The tag where a negative number came back as a large one."""
    pair = (got, want) if not isinstance(want, list) else (got[0], want[0]) if len(got) else (0, 0)
    numbers = all(isinstance(v, int) for v in pair) and pair[1] < 0
    lost = numbers and any(pair[0] == pair[1] + 2**bits for bits in (8, 16, 32, 64))
    return "sign-lost" if lost else ""


@check(hole="read_gguf", points=2, title="tensors: kind, shape, bytes")
def gguf_tensors(student, rng):
    rows = some_tensors(rng)
    pairs = [("general.architecture", TEXT, "llama"), ("name", TEXT, "x" * int(rng.integers(31)))]
    _same_tensors(student, pairs, rows, Layout(filler=b"\x5a"), "read_gguf")


@check(hole="read_gguf", points=2, title="every tensor begins at a multiple of the alignment")
def gguf_alignment(student, rng):
    rows = some_tensors(rng)
    for alignment in (8, 64, 256):
        pairs = [("name", TEXT, "y" * int(rng.integers(alignment)))]
        pairs.insert(int(rng.integers(2)), ("general.alignment", U32, alignment))
        layout = Layout(alignment=alignment, filler=b"\x5a")
        _same_tensors(student, pairs, rows, layout, f"general.alignment = {alignment}")


def _same_tensors(student: Any, pairs: list, rows: list, layout: Layout, what: str) -> None:
    data = files.pack(pairs, rows, layout)
    try:
        _, tensors = read(student, data, what)
    except CheckFailed as failed:
        if layout.alignment != 32 and "ValueError" in str(failed):
            raise CheckFailed("alignment-fixed", f"{what}: {failed}") from None
        raise
    names = ", ".join(map(str, tensors))
    all_there = set(tensors) == {name for name, _ in rows}
    require(all_there, f"{what}: tensors {names}; want {', '.join(n for n, _ in rows)}")
    for name, one in rows:
        got = tensors[name]
        triple = isinstance(got, tuple | list) and len(got) == 3
        require(triple, f"{what}: {name}: want (kind, shape, raw)", "wrong-type")
        require(got[0] == one.kind, f"{name}: kind {got[0]!r}, want {one.kind}")
        if got[1] is None or tuple(got[1]) != one.shape:
            near = {one.shape[::-1]: "shape-as-in-the-file"}
            tag = near.get(tuple(got[1] or ()), "wrong-shape")
            raise CheckFailed(tag, f"{name}: shape {got[1]}, want {one.shape}")
        raw = got[2]
        expect_shape(raw, (len(one.raw),), f"{name}, raw")
        expect_dtype(raw, np.uint8, f"{name}, raw")
        if raw.tobytes() != one.raw:
            at = data.find(raw.tobytes())
            moved = at - data.find(one.raw)
            tag = "tensor-misplaced" if at >= 0 else "wrong-value"
            where = f"they lie {moved:+d} bytes from where they should" if at >= 0 else "not there"
            raise CheckFailed(tag, f"{what}: {name}: other bytes; {where}")


# What must be refused ----------------------------------------------------------------------------

BASE = [("general.architecture", TEXT, "llama"), ("general.name", TEXT, "broken")]


def refuses(student: Any, data: bytes, what: str, tag: str) -> None:
    """Require a ValueError, the student's own or Python's."""
    try:
        student.read_gguf(data)
    except CheckFailed as failed:
        if failed.tag != "error":
            raise
        told = any(kind in str(failed) for kind in ("ValueError", "UnicodeDecodeError"))
        require(told, f"{what}: {failed}; want a ValueError", "refused-by-accident")
        return
    raise CheckFailed(tag, f"a file with {what} was read; want a ValueError")


def reads_the_whole_one(student: Any, rows: list) -> None:
    """Whoever refuses everything has refused nothing."""
    try:
        student.read_gguf(files.pack(BASE, rows))
    except CheckFailed as failed:
        if failed.tag != "error":
            raise
        raise CheckFailed("refuses-whole-files", f"a file with no mistake: {failed}") from None


@check(hole="read_gguf", points=2, title="refuses a broken header or broken metadata")
def gguf_refuses_header(student, rng):
    rows = some_tensors(rng)
    reads_the_whole_one(student, rows)
    versions = [int(v) for v in rng.permutation([0, 1, 4, 0x03000000])]
    refuses(
        student, files.pack(BASE, rows, Layout(magic=b"GGUG")), "another magic", "accepts-magic"
    )
    for version in versions:
        data = files.pack(BASE, rows, Layout(version=version))
        refuses(student, data, f"version {version}", "accepts-version")
    twice = [*BASE, ("general.name", TEXT, "again")]
    refuses(student, files.pack(twice, rows), "a key that stands twice", "accepts-key-twice")
    for kind in (13, 255):
        odd = [*BASE, ("odd", kind, 0), ("more", U32, 1)]
        refuses(student, files.pack(odd, rows), f"value type {kind}", "accepts-value-type")
    nested = [*BASE, ("nested", LIST, (LIST, [(U32, [1, 2])]))]
    refuses(student, files.pack(nested, rows), "an array of arrays", "accepts-nested-array")
    many = files.pack(BASE, [], Layout(n_pairs=3, alignment=1))
    refuses(student, many, "fewer pairs than it says", "accepts-cut-metadata")
    data = files.pack(BASE, [])
    for cut in rng.integers(24, len(data) - 40, 3):
        refuses(student, data[: int(cut)], f"only its first {cut} bytes", "accepts-cut-metadata")
    refuses(student, data[:3], "3 bytes in all", "accepts-cut-metadata")


@check(hole="read_gguf", points=2, title="refuses a broken tensor directory")
def gguf_refuses_tensors(student, rng):
    rows = some_tensors(rng)
    reads_the_whole_one(student, rows)

    def refused(layout: Layout, what: str, tag: str, pairs: list = BASE, tensors: list = rows):
        refuses(student, files.pack(pairs, tensors, layout), what, tag)

    name, one = rows[int(rng.integers(len(rows)))]
    refused(Layout(), f"{name} twice", "accepts-tensor-twice", tensors=[*rows, (name, one)])
    for kind in (3, 14, 99):
        refused(Layout(kinds={name: kind}), f"{name} of kind {kind}", "accepts-kind")
    for ne in ([], [1, 1, 1, 1, 32]):
        refused(Layout(ne={name: ne}), f"{len(ne)} dimensions", "accepts-dimensions")
    refused(Layout(ne={"a.weight": [0]}), "a size of 0", "accepts-size")
    refused(Layout(ne={"e.weight": [-4, -3, 2]}), "sizes below 0", "accepts-size")
    half = {"b.weight": [48, 4]}  # as many blocks in all, none of them in one row
    refused(Layout(ne=half), "rows of 48 numbers in Q8_0", "accepts-half-blocks")
    last = rows[-1][0]
    for shift in (32, -32):
        text = f"the offset of {last} {shift:+d}"
        refused(Layout(shift={last: shift}), text, "accepts-offset")
    refused(Layout(shift={rows[0][0]: 32}), "a first offset of 32", "accepts-offset")
    for alignment in (0, 24, 33):
        odd = [*BASE, ("general.alignment", U32, alignment)]
        refused(Layout(alignment=max(alignment, 1)), f"general.alignment = {alignment}",
                "accepts-alignment", odd)  # fmt: skip
    tail = -len(rows[-1][1].raw) % 32
    for cut in (tail + 1, tail + len(rows[-1][1].raw)):
        refused(Layout(cut=cut), f"{cut} bytes missing at its end", "accepts-cut-data")


# Formats -----------------------------------------------------------------------------------------


def numbers_agree(student: Any, one: Tensor, near: dict | None = None) -> None:
    """Require the numbers of a tensor, bit for bit: a product of two float32 rounds one way."""
    label = files.LABELS[one.kind]
    raw = np.frombuffer(one.raw, np.uint8)
    got = student.dequantize(one.kind, one.shape, raw)
    what = f"dequantize, {label}"
    close(got, one.values, near=near, what=what, rtol=1e-6, atol=0)
    expect_dtype(got, np.float32, what)


def blocks(rng: np.random.Generator, kind: int, rows: int, n: int) -> Tensor:
    """Every byte may occur; scales are numbers of both signs, tiny ones too."""
    n_block, n_bytes = files.BLOCKS[kind]
    raw = rng.integers(0, 256, (rows * n // n_block, n_bytes), np.uint8)
    scales = (rng.normal(size=len(raw)) * rng.choice([1e-6, 0.01, 3], len(raw))).astype("<f2")
    raw[:, :2] = scales.view(np.uint8).reshape(-1, 2)
    return Tensor(kind, (rows, n), raw.tobytes())


@check(hole="dequantize", points=2, title="F32 and F16")
def plain_formats(student, rng):
    for kind, dtype in ((F32, "<f4"), (F16, "<f2")):
        values = rng.normal(size=(3, 5)).astype(dtype)
        numbers_agree(student, Tensor(kind, (3, 5), values.tobytes()))
    small = np.array([6e-8, -6e-8, 65504, 0], "<f2")  # the smallest and the largest of F16
    numbers_agree(student, Tensor(F16, (4,), small.tobytes()))


@check(hole="dequantize", points=2, title="Q8_0: a scale and 32 whole numbers")
def format_q8_0(student, rng):
    one = blocks(rng, Q8_0, 3, 64)
    raw = np.frombuffer(one.raw, np.uint8).reshape(-1, 34)
    scale = raw[:, :2].copy().view("<f2").astype(np.float32)
    near = {
        "codes-unsigned": (scale * raw[:, 2:]).reshape(one.shape),
        "scale-missing": raw[:, 2:].view(np.int8).astype(np.float32).reshape(one.shape),
        "scale-last": lambda: _scale_last(raw, one),
        "scale-of-first-block": (scale[:1] * raw[:, 2:].view(np.int8)).reshape(one.shape),
    }
    numbers_agree(student, one, near)


def _scale_last(raw: np.ndarray, one: Tensor) -> np.ndarray:
    scale = raw[:, -2:].copy().view("<f2").astype(np.float32)
    return (scale * raw[:, :-2].view(np.int8)).reshape(one.shape)


@check(hole="dequantize", points=3, title="Q4_0: two numbers in a byte")
def format_q4_0(student, rng):
    one = blocks(rng, Q4_0, 3, 64)
    raw = np.frombuffer(one.raw, np.uint8).reshape(-1, 18)
    scale = raw[:, :2].copy().view("<f2").astype(np.float32)
    low, high = raw[:, 2:] & 15, raw[:, 2:] >> 4

    def made(codes: np.ndarray, zero: float = 8.0) -> np.ndarray:
        return (scale * (codes.astype(np.float32) - zero)).reshape(one.shape)

    pairs = np.stack([low, high], axis=-1).reshape(len(raw), 32)
    both = np.hstack([low, high])
    near = {
        "nibbles-interleaved": made(pairs),
        "nibbles-swapped": made(np.hstack([high, low])),
        "nibbles-interleaved-swapped": made(pairs.reshape(-1, 16, 2)[..., ::-1].reshape(-1, 32)),
        "zero-point-missing": made(both, 0.0),
        "zero-point-seven": made(both, 7.0),
        "nibbles-twos-complement": made(np.where(both > 7, both - 16.0, both), 0.0),
        "scale-missing": (both.astype(np.float32) - 8).reshape(one.shape),
    }
    numbers_agree(student, one, near)


@check(hole="dequantize", points=1, title="refuses what it does not know", visibility="hidden")
def dequantize_refuses(student, rng):
    raw = np.zeros(34 * 2, np.uint8)
    for kind, shape, what, tag in (
        (3, (2, 32), "kind 3", "accepts-kind"),
        (14, (2, 32), "kind 14", "accepts-kind"),
        (Q8_0, (3, 32), "68 bytes for (3, 32) of Q8_0", "accepts-wrong-size"),
        (Q8_0, (1, 32), "68 bytes for (1, 32) of Q8_0", "accepts-wrong-size"),
        (F32, (16,), "68 bytes for (16,) of F32", "accepts-wrong-size"),
    ):
        try:
            student.dequantize(kind, shape, raw)
        except CheckFailed as failed:
            if failed.tag != "error":
                raise
            told = "ValueError" in str(failed)
            require(told, f"{what}: {failed}; want a ValueError", "refused-by-accident")
            continue
        raise CheckFailed(tag, f"dequantize of {what}: want a ValueError")
    got = student.dequantize(Q8_0, (2, 32), raw)
    expect_shape(got, (2, 32), "dequantize of zeros in Q8_0")


READING = (gguf_metadata, gguf_tensors, gguf_alignment, gguf_refuses_header, gguf_refuses_tensors,
           plain_formats, format_q8_0, format_q4_0, dequantize_refuses)  # fmt: skip
