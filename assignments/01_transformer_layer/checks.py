"""Checks of assignment 1: each states one idea and compares with the oracle.

Owns: what is checked, on which inputs, within which tolerance. Must not know: solutions, sandboxes,
seeds. Read before: handout.py (the contract), minengine/oracle.py (the meaning), mistakes.py (what
each known mistake gives, so that a failure can be named), agreement.py, composition.py.

Inputs are small and chosen so that a mistake shows in few checks. A mistake in a part costs its
points at the part, one in the layer at the layer: what follows from them passes (composition.py).
"""

from __future__ import annotations

from functools import partial

import mistakes
import numpy as np
from agreement import HEADS, agrees, all_agree, named, untouched
from composition import (
    TOLERANCE,
    cache_agrees,
    changed,
    feed,
    layer_agrees,
    layers_of,
    normal,
    problem,
    unpacked,
)

from autograder.checks import check, close, expect_dtype, require
from minengine import oracle

FLOATS = [np.float32, np.float64]


@check(hole="rms_norm", points=2, title="a row is divided by the root of its own mean square")
def rms_norm_values(student, rng):
    x, weight = np.array([[3, 1, -1, 5]], np.float32), np.array([1, 2, 1, 1], np.float32)
    example, n = (x, weight), int(rng.integers(3, 6))
    x = normal(rng, n, 8)
    # Rows of no mean, of different size, none tiny: a mean or an eps gone wrong shows elsewhere.
    x = (x - x.mean(-1, keepdims=True)) * np.linspace(2, 30, n, dtype=np.float32)[:, None]
    drawn = x, rng.uniform(0.5, 2, 8).astype(np.float32)
    all_agree(student, "rms_norm", {"the example": example, "rms_norm": drawn})


@check(hole="rms_norm", points=1, title="the mean of a row is not subtracted", visibility="hidden")
def rms_norm_keeps_the_mean(student, rng):
    x = normal(rng, 3, 6) + np.float32(5)
    return agrees(student, "rms_norm", x, rng.uniform(0.5, 2, 6).astype(np.float32))


@check(hole="rms_norm", points=2, title="eps is the one passed, in the root", visibility="hidden")
def rms_norm_eps(student, rng):
    x, weight = normal(rng, 4, 8, scale=1e-2), rng.uniform(0.5, 2, 8).astype(np.float32)
    x[2] = 0
    return agrees(student, "rms_norm", x, weight, float(rng.choice([1e-3, 1e-2])))


@check(hole="rms_norm", points=1, title="float16 in, float32 or float64 out")
def rms_norm_contract(student, rng):
    x = (rng.choice([-1000, 1000], (2, 8)) * rng.uniform(0.5, 1, (2, 8))).astype(np.float16)
    weight = normal(rng, 8)
    half = student.rms_norm(x, weight)
    agrees(student, "rms_norm", x, weight, got=half, what="rms_norm of float16")
    expect_dtype(half, FLOATS, "rms_norm of float16", "dtype-narrow")
    x = normal(rng, 2, 8)
    untouched(student.observe("rms_norm", x, weight), x, weight)


@check(hole="rope", points=2, title="the pair (2i, 2i+1) turns by position times frequency")
def rope_values(student, rng):
    example = np.array([[[1, 0, 1, 0]]] * 3, np.float32), np.arange(3)
    n = int(rng.integers(4, 7))
    drawn = normal(rng, n, 3, 8), np.arange(n)
    all_agree(student, "rope", {"the example": example, "rope": drawn})


@check(hole="rope", points=1, title="the base is the one passed", visibility="hidden")
def rope_base(student, rng):
    base = float(rng.integers(50, 900))
    return agrees(student, "rope", normal(rng, 5, 2, 8), np.arange(5), base)


@check(hole="rope", points=1, title="positions are those passed, in any order", visibility="hidden")
def rope_positions(student, rng):
    positions = rng.choice(np.arange(20, 200), 4, replace=False)
    return agrees(student, "rope", normal(rng, 4, 2, 6), positions)


@check(hole="rope", points=1, title="float16 in, float32 or float64 out, always a copy")
def rope_contract(student, rng):
    x, positions = normal(rng, 3, 2, 4), np.arange(3)
    half = student.rope(x.astype(np.float16), positions)
    agrees(student, "rope", x.astype(np.float16), positions, got=half, what="rope of float16")
    expect_dtype(half, FLOATS, "rope of float16", "dtype-narrow")
    for at in positions, np.zeros(3, int):
        seen = student.observe("rope", x, at)
        untouched(seen, x, at)
        agrees(student, "rope", x, at, got=seen.value)


@check(hole="causal_mask", points=2, title="bool, True on and below the diagonal when T = S")
def causal_mask_square(student, rng):
    sizes = [(n, n) for n in (4, 1, int(rng.integers(5, 9)))]
    masks = student.several("causal_mask", [(size, {}) for size in sizes])
    for (n, _), got in zip(sizes, masks, strict=True):
        what = f"causal_mask({n}, {n})"
        expect_dtype(got, bool, what, "mask-not-bool")
        agrees(student, "causal_mask", n, n, got=got, what=what)


@check(hole="causal_mask", points=2, title="the last query sees the last key", visibility="hidden")
def causal_mask_after_a_cache(student, rng):
    sizes = (3, int(rng.integers(5, 8))), (2, int(rng.integers(7, 10))), (1, 5)
    masks = student.several("causal_mask", [(size, {}) for size in sizes])
    for (t, s), mask in zip(sizes, masks, strict=True):
        got = np.asarray(mask)
        # A mask of numbers lost its points in the square; here only which are zero counts.
        got = got != 0 if got.dtype.kind in "iuf" else got
        agrees(student, "causal_mask", t, s, got=got, what=f"causal_mask({t}, {s})")


@check(hole="attention", points=2, title="softmax(q k^T / sqrt(E)) v in each head")
def attention_values(student, rng):
    q, k = np.array([[[2, 0, 0, 0]]], np.float32), np.eye(3, 4, dtype=np.float32)[:, None]
    v = np.array([[[1, 0, 0, 0]], [[0, 1, 0, 0]], [[0, 0, 1, 0]]], np.float32)
    example = q, k, v, np.ones((1, 3), bool)
    q, k, v = normal(rng, 4, 2, 6, scale=1.5), normal(rng, 5, 2, 6, scale=1.5), normal(rng, 5, 2, 6)
    drawn = q, k, v, np.ones((4, 5), bool)
    all_agree(student, "attention", {"the example": example, "attention": drawn})


@check(hole="attention", points=2, title="head h reads group h // (H / G)", visibility="hidden")
def attention_groups(student, rng):
    q, k, v = normal(rng, 3, 6, 4), normal(rng, 4, 2, 4), normal(rng, 4, 2, 4)
    return agrees(student, "attention", q, k, v, np.ones((3, 4), bool))


@check(hole="attention", points=2, title="what is masked has no part in the softmax")
def attention_mask(student, rng):
    q, k, v = normal(rng, 4, 2, 4), normal(rng, 5, 2, 4), normal(rng, 5, 2, 4)
    holes = oracle.causal_mask(4, 5) & (np.arange(5) != rng.integers(1, 4))
    masked = {"attention": oracle.causal_mask(4, 5), "attention with a hole in the mask": holes}
    all_agree(student, "attention", {what: (q, k, v, mask) for what, mask in masked.items()})


@check(hole="attention", points=1, title="scores of any size are right", visibility="hidden")
def attention_scores_of_any_size(student, rng):
    q, k, v = np.zeros((2, 1, 4), np.float32), np.zeros((4, 1, 4), np.float32), normal(rng, 4, 1, 4)
    q[..., 0] = (
        2.0  # times k, times the scale 1/2: the scores are k's first column, exact in float32
    )
    mask = np.ones((2, 4), bool)
    mask[0, 3] = False  # hidden from one query and seen by the other
    calls = {}
    for top in (1e4, -2e4):
        k[:3, 0, 0] = top - rng.permutation(3)
        k[3, 0, 0] = top + 1e4  # what a penalty of -1e4 would only bring level with the others
        calls[top] = q, k.copy(), v, mask
    values = student.several("attention", [(args, {}) for args in calls.values()])
    for (top, args), got in zip(calls.items(), values, strict=True):
        finite = np.isfinite(np.asarray(got)).all()
        require(finite, f"scores about {top:g} give infinity or NaN", "softmax-overflow")
        agrees(student, "attention", *args, got=got, what=f"scores about {top:g}")


@check(hole="attention", points=1, title="slots that no query may look at may hold anything")
def attention_unused_slots(student, rng):
    q, k, v = normal(rng, 2, 2, 4), normal(rng, 5, 2, 4), normal(rng, 5, 2, 4)
    mask = oracle.causal_mask(2, 5) & (np.arange(5) != 1)
    want = oracle.attention(q, k, v, mask)
    k[1] = v[1] = 0  # what a mistake gives where the junk itself was cleared
    near = named("attention", (q, k.copy(), v.copy(), mask))
    for junk in (1e30, np.inf, np.nan):
        k[1] = v[1] = junk
        seen = student.observe("attention", q, k, v, mask)
        otherwise = {"mask-junk": seen.value} if np.shape(seen.value) == q.shape else {}
        what = f"a slot that is masked for all holds {junk:g}"
        close(seen.value, want, near=near | otherwise, what=what, **HEADS)
        untouched(seen, q, k, v, mask)


@check(hole="attention", points=1, title="a query that sees nothing gives 0", visibility="hidden")
def attention_blind_query(student, rng):
    q, k, v = normal(rng, 3, 2, 4), normal(rng, 4, 2, 4), np.zeros((4, 2, 4), np.float32)
    v[:] = normal(rng, 4)  # the same everywhere: who sees anything gets this, whatever the weights
    mask = np.ones((3, 4), bool)
    mask[rng.integers(0, 3)] = False
    got = student.attention(q, k, v, mask)
    require(not np.isnan(np.asarray(got)).any(), "0 / 0 or inf - inf: NaN", "blind-query")
    # A finite stand-in for -inf hides nothing where everything is hidden: the mean of all keys.
    finite = {"blind-query-finite": partial(mistakes.blind_uniform, q, k, v, mask)}
    near = finite | named("attention", (q, k, v, mask))
    return close(got, oracle.attention(q, k, v, mask), near=near, what="attention", **HEADS)


@check(hole="attention", points=1, title="float16 in, float32 or float64 out")
def attention_contract(student, rng):
    q, k, v = normal(rng, 2, 4, 6), normal(rng, 3, 2, 6), np.zeros((3, 2, 6), np.float32)
    v[:] = normal(
        rng, 6
    )  # the same everywhere, so a mean of them is the same, whatever its weights
    args = *(a.astype(np.float16) for a in (q, k, v)), np.ones((2, 3), bool)
    seen = student.observe("attention", *args)
    agrees(student, "attention", *args, got=seen.value, what="attention over equal values")
    expect_dtype(seen.value, FLOATS, "attention of float16", "dtype-narrow")
    untouched(seen, *args)


@check(hole="swiglu", points=1, title="(silu(gate) * up) goes down")
def swiglu_values(student, rng):
    one = np.ones((1, 1), np.float32)
    example = one, 2 * one, 3 * one, one
    weights = [normal(rng, 10, 6), normal(rng, 10, 6), normal(rng, 6, 10)]
    drawn = normal(rng, 3, 6), *weights
    all_agree(student, "swiglu", {"the example": example, "swiglu": drawn})


@check(hole="swiglu", points=1, title="float16 in, float32 or float64 out")
def swiglu_contract(student, rng):
    shapes = (3, 6), (10, 6), (10, 6), (6, 10)
    args = tuple(normal(rng, *shape).astype(np.float16) for shape in shapes)
    seen = student.observe("swiglu", *args)
    agrees(student, "swiglu", *args, got=seen.value, what="swiglu of float16")
    expect_dtype(seen.value, FLOATS, "swiglu of float16", "dtype-narrow")
    untouched(seen, *args)


@check(hole="swiglu", points=1, title="gates of -1000 and 1000 are right", visibility="hidden")
def swiglu_large(student, rng):
    # Whole numbers below 2^24: the gates are exact in float32, in whatever order they are summed.
    x, gate = rng.integers(-3, 4, (3, 6)), rng.choice([-200, -100, 100, 200], (8, 6))
    args = [a.astype(np.float32) for a in (x, gate)]
    args += [normal(rng, 8, 6), normal(rng, 6, 8)]
    got = student.swiglu(*args)
    finite = np.isfinite(np.asarray(got)).all()
    require(finite, "gates of some hundred give infinity or NaN", "silu-overflow")
    large = {"rtol": 1e-4, "atol": 1e-2}  # values of some thousand cancel in the last sum
    return close(got, oracle.swiglu(*args), near=named("swiglu", args), what="swiglu", **large)


@check(hole="layer", points=2, title="norm, attention, add; norm, feed-forward, add")
def layer_values(student, rng):
    call = problem(rng, 5)
    seen = student.observe(
        "layer", call.x, call.weights, call.positions, call.n_heads, call.n_kv_heads
    )
    note = layer_agrees(student, call, seen.value, habit=False)
    expect_dtype(seen.value, FLOATS, "layer", "dtype-narrow")
    untouched(seen, call.x, call.weights, call.positions)
    return note


NOT_STILL = ("layer-post-norm", "norm-in-place")


@check(hole="layer", points=2, title="with silent weights the layer is the identity")
def layer_residuals(student, rng):
    call = problem(rng, 3)
    o, down = (dict.fromkeys([n], 0 * call.weights[n]) for n in ("attn_output", "ffn_down"))
    calls = (changed(call, weights=call.weights | silent) for silent in (o | down, down, o))
    still, attn_only, ffn_only = layers_of(student, *calls)
    lost = "layer-ffn-residual-missing" if not np.any(attn_only) else "layer-residual-missing"
    silent = changed(call, weights=call.weights | o | down)
    near = {tag: lambda tag=tag: mistakes.LAYER[tag](silent)[0] for tag in NOT_STILL}
    near[lost] = 0 * call.x
    close(still, call.x, near=near, what="layer with attn_output = ffn_down = 0", **TOLERANCE)
    for out, tag, name in (
        (attn_only, "layer-residual-from-input", "attention"),
        (ffn_only, "layer-ffn-missing", "the feed-forward part"),
    ):
        added = np.abs(out - call.x).max() > 1e-2
        require(added, f"{name} alone adds nothing to the stream", tag)


@check(hole="layer", points=1, title="positions, base and eps arrive", visibility="hidden")
def layer_passes_its_arguments(student, rng):
    scattered = rng.permutation(40)[:5]
    plain = problem(rng, 5)
    calls = [
        changed(plain, positions=scattered),
        changed(plain, base=float(rng.integers(5, 20))),
        changed(plain, eps=float(rng.uniform(0.5, 1))),
    ]
    values = layers_of(student, *calls)
    notes = [layer_agrees(student, call, got) for call, got in zip(calls, values, strict=True)]
    return next(filter(None, notes), None)


@check(hole="layer", points=1, title="later tokens change nothing, earlier do", visibility="hidden")
def layer_causal(student, rng):
    call = problem(rng, 5)
    later, earlier = changed(call, x=call.x.copy()), changed(call, x=call.x.copy())
    later.x[3:] = normal(rng, 2, call.x.shape[1])
    earlier.x[0] = normal(rng, call.x.shape[1])
    before, after, moved = layers_of(student, call, later, earlier)
    # Not to the bit: where a buffer lies in memory may change the order of a sum.
    if not np.allclose(after[:3], before[:3], rtol=0, atol=1e-5):
        return layer_agrees(student, later, after, habit=False)
    if np.abs(moved[1:] - before[1:]).max(-1).min() < 1e-5:
        return layer_agrees(student, earlier, moved, habit=False)
    return None


@check(hole="layer_with_cache", points=1, title="the cache holds rotated keys and plain values")
def cache_contents(student, rng):
    call, note, cache = problem(rng, 4), None, None
    chunks = [slice(0, 3), slice(3, 4)]
    for i, rows in enumerate(chunks, 1):
        _, cache = feed(student, call, rows, cache)
        for kind, keep in enumerate((lambda reply: reply[1][0], lambda reply: reply[1][1])):
            note = cache_agrees(student, call, chunks[:i], cache[kind], keep) or note
    return note


@check(hole="layer_with_cache", points=2, title="one step after a prefill gives the same numbers")
def cache_decode(student, rng):
    return in_chunks(student, problem(rng, 5), [slice(0, 4), slice(4, 5)])


@check(hole="layer_with_cache", points=1, title="chunks give the same numbers", visibility="hidden")
def cache_chunks(student, rng):
    return in_chunks(student, problem(rng, 6), [slice(0, 2), slice(2, 5), slice(5, 6)])


def in_chunks(student, call, chunks):
    note, cache = None, None
    for i, rows in enumerate(chunks, 1):
        out, cache = feed(student, call, rows, cache)
        note = cache_agrees(student, call, chunks[:i], out) or note
    return note


@check(hole="layer_with_cache", points=1, title="start, eps and base arrive", visibility="hidden")
def cache_start(student, rng):
    call = problem(rng, 6, eps=float(rng.uniform(0.5, 1)), base=float(rng.integers(5, 20)))
    chunks = [slice(0, 5), slice(5, 6)]
    _, cache = feed(student, call, chunks[0], None)
    cache = tuple(np.asarray(a)[2:] for a in cache)  # the two oldest rows were evicted
    out, _ = feed(student, call, chunks[1], cache)
    return cache_agrees(student, call, chunks, out, dropped=2)


@check(hole="layer_with_cache", points=1, title="one cache, two continuations", visibility="hidden")
def cache_continued_twice(student, rng):
    call, note = problem(rng, 5), None
    chunks = [slice(0, 4), slice(4, 5)]
    _, cache = feed(student, call, chunks[0], None)
    for _ in range(2):
        args = call.x[4:], call.weights, 4, cache, call.n_heads, call.n_kv_heads
        seen = student.observe("layer_with_cache", *args)
        untouched(seen, *args)
        out, (keys, _) = unpacked(seen.value)
        said = f"5 tokens were given, and the cache has {len(keys)} rows"
        require(len(keys) <= 5, said, "cache-remembered")
        note = cache_agrees(student, call, chunks, out) or note
        call = changed(call, x=np.concatenate((call.x[:4], normal(rng, 1, call.x.shape[1]))))
    return note
