"""Checks of lab 2.1: each part against the oracle, in NumPy and in C++.

C++ is compiled in a workshop (autograder/compiler.py) and runs in the submission's own sandbox.
Owns: the list. Must not know: solutions. Read before: handout (the shapes), minengine/oracle.py.
"""

from __future__ import annotations

import inspect

import numpy as np

from autograder import compiler
from autograder.checks import check, close, expect_shape
from autograder.errors import CheckFailed
from autograder.sandbox import StudentError
from course.lab import native
from minengine import oracle

JUDGES = (compiler, native, oracle)  # a result depends on what stands there


def heads(rng, n, T, S, E, *, far=0.0):
    """q (n, T, E), k (n, S, E), v (n, S, E), float32.

    ``far`` moves all scores of a head by that much, up in every other head and down in the rest:
    softmax does not see it, exp does.
    """
    q, k, v = (rng.normal(size=s).astype(np.float32) for s in ((n, T, E), (n, S, E), (n, S, E)))
    if far:
        q[..., 0] = k[..., 0] = np.sqrt(far * np.sqrt(E))
        q[1::2, :, 0] *= -1
    return q, k, v


def meaning(q, k, v, *, scale=None, mask=None):
    """Causal attention of heads, by the oracle; with what a mistake changes."""
    mask = oracle.causal_mask(q.shape[1], k.shape[1]) if mask is None else mask
    return in_rows(oracle.attention(*map(in_rows, (q, k, v)), mask, scale=scale))


def over_queries(q, k, v):
    """Softmax over the wrong axis: each key shares itself out among the queries that see it."""
    (n, T, _), S = q.shape, k.shape[1]
    which = np.broadcast_to(np.eye(T), (n, T, T))
    shares = meaning(k, q, which, mask=oracle.causal_mask(T, S).T)  # (n, S, T)
    return np.swapaxes(shares, 1, 2) @ v


def near(q, k, v):
    """What known mistakes give."""
    (_, T, E), S = q.shape, k.shape[1]
    return {
        "scale-missing": lambda: meaning(q, k, v, scale=1.0),
        "scale-of-width": lambda: meaning(q, k, v, scale=1 / E),
        "mask-top-left": lambda: meaning(q, k, v, mask=np.tril(np.ones((T, S), bool))),
        "mask-missing": lambda: meaning(q, k, v, mask=np.ones((T, S), bool)),
        "mask-next": lambda: meaning(q, k, v, mask=np.tril(np.ones((T, S), bool), S - T + 1)),
        "softmax-over-queries": lambda: over_queries(q, k, v),
    }


def in_rows(x):
    """Heads first to tokens first and back: (n, T, E) <-> (T, n, E)."""
    return np.ascontiguousarray(np.swapaxes(x, 0, 1))


@check(hole="project", points=1, title="rows of the weight are outputs")
def project_rows(student, rng):
    x, w = rng.normal(size=(5, 6)), rng.normal(size=(6, 6))
    near = {"project-transposed": x @ w}
    return close(student.project(x, w), x @ w.T, rtol=1e-6, atol=1e-9, near=near, what="project")


@check(hole="project", points=1, title="more outputs than inputs", visibility="hidden")
def project_shapes(student, rng):
    x, w = rng.normal(size=(3, 4)), rng.normal(size=(7, 4))
    return close(student.project(x, w), x @ w.T, rtol=1e-6, atol=1e-9, what="project")


@check(hole="split_heads", points=1, title="a head's numbers stay together")
def split_heads_values(student, rng):
    x, n = rng.normal(size=(5, 12)), 3
    want = x.reshape(5, 3, 4).transpose(1, 0, 2)
    near = {
        "heads-not-transposed": x.reshape(3, 5, 4),
        "heads-interleaved": x.reshape(5, 4, 3).transpose(2, 0, 1),
        "heads-tokens-first": x.reshape(5, 3, 4),
    }
    return close(student.split_heads(x, n), want, rtol=0, atol=0, near=near, what="split_heads")


@check(hole="merge_heads", points=1, title="the inverse of split_heads")
def merge_heads_values(student, rng):
    x = rng.normal(size=(3, 5, 4))
    want = x.transpose(1, 0, 2).reshape(5, 12)
    near = {
        "heads-not-transposed": x.reshape(5, 12),
        "heads-interleaved": x.transpose(1, 2, 0).reshape(5, 12),
    }
    return close(student.merge_heads(x), want, rtol=0, atol=0, near=near, what="merge_heads")


@check(hole="attend", points=2, title="a whole text, every head by itself")
def attend_text(student, rng):
    q, k, v = heads(rng, 3, 6, 6, 16)
    got, want = student.attend(q, k, v), meaning(q, k, v)
    return close(got, want, rtol=1e-4, atol=1e-5, near=near(q, k, v), what="attend(q, k, v)")


@check(hole="attend", points=2, title="the last tokens of a longer text")
def attend_last(student, rng):
    T = int(rng.integers(1, 4))
    q, k, v = heads(rng, 2, T, 9, 16)
    got, want = student.attend(q, k, v), meaning(q, k, v)
    what = f"attend: {T} queries, 9 keys"
    return close(got, want, rtol=1e-4, atol=1e-5, near=near(q, k, v), what=what)


@check(hole="attend", points=1, title="scores of hundreds", visibility="hidden")
def attend_large(student, rng):
    q, k, v = heads(rng, 2, 5, 5, 16, far=1000.0)
    got, want = student.attend(q, k, v), meaning(q, k, v)
    return close(got, want, rtol=1e-3, atol=1e-3, near=near(q, k, v), what="attend, large scores")


def of_parts(student, x, wq, wk, wv, wo, H, G):
    """The right composition of the student's own parts: what is wrong in one costs points there."""
    heads = {"q": (wq, H), "k": (wk, G), "v": (wv, G)}
    q, k, v = (student.split_heads(student.project(x, w), n) for w, n in heads.values())
    share = H // G
    gathered = student.attend(q, np.repeat(k, share, axis=0), np.repeat(v, share, axis=0))
    return student.project(student.merge_heads(gathered), wo)


@check(hole="multi_head_attention", points=2, title="grouped heads and the output projection")
def multi_head_grouped(student, rng):
    T, D, H, G, E = 5, 12, 6, 2, 4
    x = rng.normal(size=(T, D))
    wq, wk, wv = (rng.normal(size=(n * E, D)) / 2 for n in (H, G, G))
    wo = rng.normal(size=(D, H * E))
    q, k, v = (
        (x @ w.T).reshape(T, n, E).transpose(1, 0, 2) for w, n in ((wq, H), (wk, G), (wv, G))
    )

    def made(which, out=wo):
        gathered = meaning(q, k[which], v[which]).transpose(1, 0, 2).reshape(T, H * E)
        return gathered if out is None else gathered @ out.T

    right = np.arange(H) // (H // G)
    near = {
        "groups-dealt": lambda: made(np.arange(H) % G),
        "output-missing": lambda: made(right, None),
        "heads-not-transposed": lambda: meaning(q, k[right], v[right]).reshape(T, H * E) @ wo.T,
    }
    weights = (wq, wk, wv, wo, H, G)
    got = student.multi_head_attention(x, *weights)
    return close(
        got, made(right), rtol=1e-5, atol=1e-6, near=near,
        own=lambda: of_parts(student, x, *weights), what=f"multi_head_attention, {H} heads on {G}",
    )  # fmt: skip


@check(hole="multi_head_attention", points=1, title="a single head", visibility="hidden")
def multi_head_single(student, rng):
    x, (wq, wk, wv, wo) = rng.normal(size=(4, 6)), rng.normal(size=(4, 6, 6))
    q, k, v = ((x @ w.T)[None] for w in (wq, wk, wv))
    want = meaning(q, k, v)[0] @ wo.T
    weights = (wq, wk, wv, wo, 1, 1)
    got = student.multi_head_attention(x, *weights)
    return close(
        got, want, rtol=1e-5, atol=1e-6, own=lambda: of_parts(student, x, *weights),
        what="multi_head_attention, one head",
    )  # fmt: skip


def compiled(student):
    """The library of the student's text, compiled once for each submission."""
    text = student.attention_cpp()
    known = student.measured
    if known.get("c++ text") != text:
        known["c++ library"] = compiler.compile_cpp(text, student)
        known["c++ text"] = text
    return known["c++ library"]


def in_cpp(student, q, k, v, *, what, size=1e-4):
    """The student's C++ on heads (H, T, E) and (G, S, E), held against the oracle."""
    library = compiled(student)
    right = np.arange(len(q)) // (len(q) // len(k))
    want = in_rows(meaning(q, k[right], v[right]))
    with student.instead(inspect.getsource(native)) as program:
        try:
            program.load(library)
        except StudentError as error:
            if "undefined symbol" not in str(error) and "not found" not in str(error):
                raise
            said = 'the library has no function of this name: is it extern "C"?'
            raise CheckFailed("cpp-name", f"attention: {said}") from None
        got = program.attend(*(in_rows(x) for x in (q, k, v)))
    expect_shape(got, want.shape, what)
    for tag, bad, said in (
        ("cpp-not-written", got == native.UNWRITTEN, "were not written"),
        ("cpp-nan", np.isnan(got), "are NaN"),
    ):
        if bad.any():
            raise CheckFailed(tag, f"{what}: {int(bad.sum())} of {bad.size} numbers of out {said}")
    mistakes = {tag: (lambda f=f: in_rows(f())) for tag, f in near(q, k[right], v[right]).items()}
    dealt = np.arange(len(q)) % len(k)
    mistakes["cpp-adds"] = want + native.UNWRITTEN
    mistakes["groups-dealt"] = lambda: in_rows(meaning(q, k[dealt], v[dealt]))
    axes = ("token", "head", "dimension")
    return close(got, want, rtol=1e-3, atol=size, near=mistakes, what=what, axes=axes)


@check(hole="attention_cpp", points=2, title="C++: a whole text")
def cpp_text(student, rng):
    q, k, v = heads(rng, 2, 5, 5, 8)
    return in_cpp(student, q, k, v, what="attention, 5 tokens, 2 heads")


@check(hole="attention_cpp", points=2, title="C++: the last tokens of a longer text, grouped heads")
def cpp_last(student, rng):
    q, k, v = heads(rng, 6, 3, 11, 8)
    return in_cpp(student, q, k[:2], v[:2], what="attention, 3 of 11 tokens, 6 heads on 2")


@check(hole="attention_cpp", points=1, title="C++: scores of hundreds", visibility="hidden")
def cpp_large(student, rng):
    q, k, v = heads(rng, 2, 4, 7, 16, far=1000.0)
    return in_cpp(student, q, k, v, what="attention, large scores", size=1e-2)


@check(hole="attention_cpp", points=1, title="C++: one token, odd sizes", visibility="hidden")
def cpp_odd(student, rng):
    q, k, v = heads(rng, 3, 1, int(rng.integers(1, 40)), int(rng.integers(1, 20)))
    return in_cpp(student, q, k[:1], v[:1], what="attention, one query, odd sizes")
