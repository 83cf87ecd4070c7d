"""Checks of the cache and of the whole model: logits in one pass, in several, and of real weights.

Owns: checks of `KVCache` and `Model` but those of speed. Must not know: solutions, sandboxes.
Read before: files.py, composition.py, mistakes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import composition
import files
import mistakes
import numpy as np
from files import F16, F32, Q4_0, Q8_0, Made

from autograder.checks import CheckFailed, check, close, expect_dtype, expect_shape, require

# What a float32 network of a few layers differs from float64, with room to spare: sums of some
# hundred products in each of some ten steps, logits of size 1 to 10. Stated in the handout.
LOGITS = {"rtol": 1e-3, "atol": 1e-3, "axes": ("token", "vocabulary")}
ROWS = {"rtol": 1e-6, "atol": 0.0, "axes": ("token", "head", "dimension")}


def rows_of(rng: np.random.Generator, n: int, G: int = 2, E: int = 4) -> np.ndarray:
    return rng.standard_normal((n, G, E)).astype(np.float32)


class Twin:
    """A student's cache beside plain lists that say what it must hold."""

    def __init__(self, student: Any, rng: np.random.Generator, capacity: int = 12) -> None:
        self.cache, self.rng = student.KVCache(2, 2, 4, capacity), rng
        self.want: list[list[np.ndarray]] = [[], []]  # of each layer: rows (2, G, E), k and v

    def append(self, layer: int, n: int) -> None:
        k, v = rows_of(self.rng, n), rows_of(self.rng, n)
        self.cache.append(layer, k, v)
        self.want[layer] += [np.stack(pair) for pair in zip(k, v, strict=True)]

    def append_all(self, n: int) -> None:
        for layer in (0, 1):
            self.append(layer, n)

    def agrees(self, what: str, near: dict[str, int] | None = None) -> None:
        """Require every layer's rows; ``near`` maps a tag to a wrong number of rows."""
        for layer, rows in enumerate(self.want):
            got = self.cache.read(layer)
            pair = isinstance(got, tuple | list) and len(got) == 2
            require(pair, f"{what}: read gives no pair (k, v)", "wrong-type")
            want = np.stack(rows, 1) if rows else np.zeros((2, 0, 2, 4), np.float32)
            other = np.stack(self.want[1 - layer], 1) if self.want[1 - layer] else None
            for one, name in ((0, "keys"), (1, "values")):
                text = f"{what}: {name} of layer {layer}"
                misses: dict[str, Any] = {"keys-and-values-swapped": want[1 - one]}
                misses |= {"layers-mixed": other[one]} if other is not None else {}
                rowless = getattr(got[one], "shape", (0,))[:1] != want[one].shape[:1]
                tag = next((t for t, n in (near or {}).items() if np.shape(got[one])[:1] == (n,)),
                           "cache-rows")  # fmt: skip
                if rowless and np.ndim(got[one]) == 3:
                    n = np.shape(got[one])[0]
                    raise CheckFailed(tag, f"{text}: {n} rows, want {len(rows)}")
                close(got[one], want[one], near=misses, what=text, **ROWS)

    def length_is(self, n: int, what: str, near: dict[int, str]) -> None:
        got = self.cache.length()
        whole = isinstance(got, int | np.integer) and not isinstance(got, bool)
        require(whole, f"{what}: length() gives {got!r}, want a number", "wrong-type")
        require(
            got == n, f"{what}: length() is {got}, want {n}", near.get(int(got), "cache-length")
        )


@check(hole="KVCache", points=2, title="rows of each layer in their order, and how many")
def cache_rows(student, rng):
    twin = Twin(student, rng)
    twin.agrees("an empty cache")
    twin.append(0, 3)
    twin.length_is(0, "3 rows in layer 0, none in layer 1", {3: "length-of-one-layer"})
    twin.append(1, 3)
    twin.length_is(3, "3 rows in both layers", {6: "length-counts-layers"})
    for n in (1, int(rng.integers(2, 5)), 1):
        twin.append_all(n)
    n = len(twin.want[0])
    twin.agrees("after several appends", {"cache-overwritten": 1, "cache-capacity-read": 12})
    twin.length_is(n, f"{n} rows in both layers", {2 * n: "length-counts-layers"})


@check(hole="KVCache", points=2, title="what is rewound is gone, what is written over is new")
def cache_rewind(student, rng):
    twin = Twin(student, rng)
    twin.append_all(7)
    keep = int(rng.integers(2, 6))
    twin.cache.rewind(keep)
    twin.want = [rows[:keep] for rows in twin.want]
    near = {"rewind-does-nothing": 7, "rewind-off-by-one": keep + 1, "rewind-drops-n": 7 - keep}
    twin.agrees(f"7 rows, rewound to {keep}", near)
    twin.length_is(keep, f"7 rows, rewound to {keep}", {n: t for t, n in near.items()})
    twin.cache.rewind(keep)  # to where it is already
    twin.append_all(3)
    twin.agrees(f"rewound to {keep}, then 3 new rows", {"rewind-stale-rows": 10})
    twin.cache.rewind(0)
    twin.want = [[], []]
    twin.agrees("rewound to 0")
    for n in (-1, 1):
        try:
            twin.cache.rewind(n)
        except CheckFailed as failed:
            told = failed.tag == "error" and "ValueError" in str(failed)
            require(told, f"rewind({n}) of an empty cache: {failed}", "refused-by-accident")
            continue
        raise CheckFailed("rewind-beyond", f"rewind({n}) of an empty cache: want a ValueError")


def refused(twin: Twin, layer: int, n: int, what: str) -> None:
    """Require that the cache refuses n rows of a layer."""
    try:
        twin.cache.append(layer, rows_of(twin.rng, n), rows_of(twin.rng, n))
    except CheckFailed as failed:
        told = failed.tag == "error" and "ValueError" in str(failed)
        require(told, f"{what}: {failed}; want a ValueError", "refused-by-accident")
        return
    raise CheckFailed("cache-overfull", f"{what}: want a ValueError")


@check(hole="KVCache", points=1, title="too many tokens are refused, nothing changes")
def cache_full(student, rng):
    twin = Twin(student, rng, capacity=5)
    twin.append_all(3)
    for layer in (0, 1):
        refused(twin, layer, 3, "6 tokens in a cache of 5")
    twin.agrees("after a refusal", {"cache-half-full": 5})
    twin.append_all(2)
    twin.agrees("filled to its last row")
    refused(twin, 0, 1, "one token more in a full cache")  # which NumPy would broadcast away
    twin.agrees("after another refusal")


ALIAS = """
def alias_of(cache, k, v):
    cache.append(layer := 0, k, v)
    cache.append(1, k, v)
    k[:], v[:] = 99.0, 99.0
    return cache.read(0), cache.read(1)
"""


@check(hole="KVCache", points=1, title="two caches, and the caller's arrays, are apart")
def cache_apart(student, rng):
    alone = Twin(student, rng)
    for n in (2, 1):
        alone.append_all(n)
    alone.agrees("one cache alone")
    one, other = Twin(student, rng), Twin(student, rng)
    one.append_all(2)
    other.append_all(4)
    one.append_all(1)
    for twin, which in ((one, "first"), (other, "second")):
        try:
            twin.agrees(f"the {which} of two caches")
        except CheckFailed as failed:
            raise CheckFailed("caches-shared", str(failed)) from None
    k, v = rows_of(rng, 3), rows_of(rng, 3)
    with student.planted(ALIAS):
        cache = student.KVCache(2, 2, 4, 8)
        for got in student.alias_of(cache, k, v):
            message = "the caller wrote to its arrays after append, and the cache changed with them"
            same = np.array_equal(got[0], k) and np.array_equal(got[1], v)
            require(same or not np.any(np.asarray(got[0]) == 99), message, "cache-aliases")


# The model ---------------------------------------------------------------------------------------


def logits_agree(
    student: Any, made: Made, tokens: Sequence[int], got: Any, what: str,
    chunks: Sequence[int] = (),
) -> str | None:  # fmt: skip
    """Require the oracle's logits, or those of the student's own parts rightly composed."""
    own = composition.own(student, made, tokens, chunks)
    near = mistakes.misses(made, tokens, chunks)
    last = {"last-row-alone": lambda: made.logits(tokens)[-1:]}
    if isinstance(got, np.ndarray):  # float16 would be too far off besides
        expect_dtype(got, [np.float32, np.float64], what)
    return close(got, made.logits(tokens), near=near | last, own=own, what=what, **LOGITS)


def in_passes(model: Any, tokens: Sequence[int], chunks: Sequence[int], capacity: int) -> Any:
    """Logits of all rows, the tokens given to one cache in passes of these lengths."""
    cache, rows, at = model.new_cache(capacity), [], 0
    for size in chunks:
        got = model.forward(tokens[at : at + size], cache)
        expect_shape(got, (size, np.shape(got)[-1] if np.ndim(got) else 0), f"forward of {size}")
        rows.append(got)
        at += size
    return np.concatenate(rows)


@check(hole="Model", points=2, title="logits of one token: embedding, norms, residuals, head")
def model_one_token(student, rng):
    note = None
    for tied in (True, False):
        made = files.random_model(rng, tied=tied, eps=0.02, scale=0.3)
        tokens = made.tokens(rng, 1)
        got = student.Model(made.data).forward(tokens)
        what = f"Model.forward of token {tokens[0]}, {'tied' if tied else 'own'} head"
        note = logits_agree(student, made, tokens, got, what) or note
    return note


@check(hole="Model", points=2, title="logits of a prompt, on models of other sizes")
def model_prompt(student, rng):
    note = None
    for how in ({"H": 6, "G": 2, "E": 4, "D": 24}, {"H": 4, "G": 1, "E": 12, "L": 3, "base": 80.0}):
        made = files.random_model(rng, **how)
        tokens = made.tokens(rng, int(rng.integers(5, 9)))
        got = student.Model(made.data).forward(tokens)
        what = f"Model.forward of {len(tokens)} tokens"
        note = logits_agree(student, made, tokens, got, what) or note
    return note


@check(hole="Model", points=1, title="what a file leaves out has its default")
def model_defaults(student, rng):
    made = files.random_model(rng, leave_out=("G", "E"), base=None)
    tokens = made.tokens(rng, 4)
    got = student.Model(made.data).forward(tokens)
    what = "a file without head_count_kv, key_length and rope.freq_base"
    return logits_agree(student, made, tokens, got, what)


@check(hole="Model", points=2, title="the same logits with the cache, in passes of any length")
def model_cached(student, rng):
    made = files.random_model(rng, H=4, G=2)
    model, note = student.Model(made.data), None
    for chunks in ((6, 1, 1, 1), (1, 3, 4), (2, 5)):
        tokens = made.tokens(rng, sum(chunks))
        got = in_passes(model, tokens, chunks, len(tokens) + int(rng.integers(3)))
        what = f"Model.forward in passes of {', '.join(map(str, chunks))}"
        note = logits_agree(student, made, tokens, got, what, chunks) or note
    return note


@check(
    hole="Model", points=1, title="two texts at once, and a text taken back", visibility="hidden"
)
def model_two_texts(student, rng):
    """Two caches of one model in turns; then one is rewound and goes on otherwise."""
    made = files.random_model(rng)
    model = student.Model(made.data)
    texts = [made.tokens(rng, 6) for _ in range(2)]
    caches = [model.new_cache(8) for _ in texts]
    rows: list[list] = [[], []]
    for at in (0, 3):
        for i in (0, 1):
            rows[i].append(model.forward(texts[i][at : at + 3], caches[i]))
    note = None
    for i in (0, 1):
        got = np.concatenate(rows[i])
        text = f"text {i + 1} of two in turns"
        note = logits_agree(student, made, texts[i], got, text, (3, 3)) or note
    caches[0].rewind(2)
    other = texts[0][:2] + made.tokens(rng, 3)
    got = np.concatenate([rows[0][0][:2], model.forward(other[2:], caches[0])])
    try:
        return logits_agree(student, made, other, got, "rewound to 2 tokens", (2, 3)) or note
    except CheckFailed as failed:
        raise CheckFailed("model-forgets-no-token", str(failed)) from None


@check(hole="Model", points=2, title="quantized weights, and the model that comes with the course")
def model_packaged(student, rng):
    note = None
    for kind in (F16, Q8_0, Q4_0):
        made = files.random_model(rng, kind=kind, L=1, D=32, F=64, E=8, H=4)
        tokens = made.tokens(rng, 3)
        got = student.Model(made.data).forward(tokens)
        what = f"a model in {files.LABELS[kind]}"
        note = logits_agree(student, made, tokens, got, what) or note
    made = files.packaged()
    tokens = made.tokens(rng, 5)
    got = student.Model(made.data).forward(tokens)
    return logits_agree(student, made, tokens, got, "tiny-shakespeare") or note


@check(hole="Model", points=1, title="refuses what it cannot run", visibility="hidden")
def model_refuses(student, rng):
    made = files.random_model(rng, kind=F32)
    student.Model(made.data)  # what is whole is taken
    gone = str(rng.choice(["blk.1.ffn_up.weight", "output_norm.weight", "token_embd.weight"]))
    for data, what, tag in (
        (files.other_architecture(made), "of architecture gpt2", "accepts-architecture"),
        (files.without(made, gone), f"without {gone}", "accepts-missing-tensor"),
    ):
        try:
            student.Model(data).forward([0, 1])
        except CheckFailed as failed:
            if failed.tag != "error":
                raise
            told = "ValueError" in str(failed)
            require(told, f"a model {what}: {failed}; want a ValueError", "refused-by-accident")
            continue
        raise CheckFailed(tag, f"a model {what} was run; want a ValueError")


RUNNING = (cache_rows, cache_rewind, cache_full, cache_apart, model_one_token, model_prompt,
           model_defaults, model_cached, model_two_texts, model_packaged,
           model_refuses)  # fmt: skip
