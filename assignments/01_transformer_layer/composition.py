"""A student's layer compared with the oracle's, and with what follows from mistakes made elsewhere.

Owns: the inputs of a layer (a call), and the composition of a student's own parts and habits that
their layer is compared with, so that a mistake costs its points once. Must not know: points, hints.
Read before: mistakes.py (its LAYER are the habits).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from mistakes import CACHE, LAYER, compose

from autograder.checks import close, require
from minengine import oracle

# float32: eight parts in a row, each right to about 1e-5.
TOLERANCE = {"rtol": 1e-3, "atol": 2e-4}
AXES = {2: ("token", "dimension"), 3: ("token", "head", "dimension")}


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """float32 draws of this shape, none beyond 3 standard deviations: no draw is an extreme one."""
    return (np.clip(rng.standard_normal(shape), -3, 3) * scale).astype(np.float32)


class Call(SimpleNamespace):
    """A layer's arguments by name; equal to itself alone, so that `right` can know it again."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def problem(rng: np.random.Generator, n: int, **changes: float) -> Call:
    """A layer's arguments by name: n tokens, H / G of 2 or 3, E != D / H, H E != D.

    The very same call where the generator is as it was once, as on a public draw it is for every
    student: what is right for it need not be computed again. So its arrays can't be written.
    """
    now = rng.bit_generator.state
    numbers = *now["state"].values(), now["has_uint32"], now["uinteger"]
    call, rng.bit_generator.state = drawn(numbers, n, tuple(changes.items()))
    return call


@lru_cache(128)  # a submission has some fifty, a public one comes again with the next
def drawn(numbers: tuple[int, ...], n: int, changes: tuple) -> tuple[Call, dict[str, Any]]:
    """(a problem drawn by a generator in this state, the generator's state after it)."""
    generator, (state, inc, has_half, half) = np.random.PCG64(), numbers
    now = {"state": {"state": state, "inc": inc}, "has_uint32": has_half, "uinteger": half}
    generator.state = {"bit_generator": "PCG64", **now}
    rng = np.random.Generator(generator)
    n_heads, n_kv_heads, width = ((4, 2, 6), (6, 2, 4))[rng.integers(0, 2)]
    d, f = 10, 14
    shapes = {
        "attn_q": (n_heads * width, d),
        "attn_k": (n_kv_heads * width, d),
        "attn_v": (n_kv_heads * width, d),
        "attn_output": (d, n_heads * width),
        "ffn_gate": (f, d),
        "ffn_up": (f, d),
        "ffn_down": (d, f),
    }
    weights = {name: normal(rng, *s, scale=1.5 * s[1] ** -0.5) for name, s in shapes.items()}
    for name in ("attn_norm", "ffn_norm"):
        weights[name] = rng.uniform(0.5, 1.5, d).astype(np.float32)
    rest = {"n_heads": n_heads, "n_kv_heads": n_kv_heads, "eps": 1e-5, "base": 1e4, "past": None}
    rest |= {"x": normal(rng, n, d), "weights": weights, "positions": np.arange(n)}
    for array in (rest["x"], rest["positions"], *weights.values()):
        array.flags.writeable = False
    return Call(**(rest | {"parts": oracle.PARTS} | dict(changes))), generator.state


def changed(call: Call, **changes: Any) -> Call:
    return Call(**(vars(call) | changes))


def layer_of(student: Any, call: Call) -> Any:
    args, kwargs = given(call)
    return student.layer(*args, **kwargs)


def layers_of(student: Any, *calls: Call) -> Iterator[Any]:
    """The layers of several calls, which travel together."""
    return student.several("layer", [given(call) for call in calls])


def given(call: Call) -> tuple[tuple, dict[str, float]]:
    args = call.x, call.weights, call.positions, call.n_heads, call.n_kv_heads
    return args, {"eps": call.eps, "base": call.base}


def layer_agrees(student: Any, call: Call, got: Any = None, habit: bool = True) -> Any:
    """Require the oracle's layer, or what follows from mistakes charged elsewhere.

    With ``habit`` a mistake that the layer makes with the default eps and base is one of these.
    """
    got = layer_of(student, call) if got is None else got
    return agrees(
        student,
        got,
        lambda layer, parts: alone(call, layer, parts)[0],
        mistakes=LAYER,
        habit={} if habit else None,
        what="layer",
    )


def alone(call: Call, layer: Any, parts: SimpleNamespace) -> tuple[Any, Any]:
    """What a layer makes of a whole call over these parts."""
    if layer is compose and parts is oracle.PARTS:
        return right(call, ((0, len(call.x)),))
    return layer(changed(call, parts=parts))


def agrees(student, got, make, *, mistakes, habit, what, more=None) -> str | None:
    """Require of ``got`` what ``make(layer, parts)`` gives with the oracle's layer and parts.

    Accepted too, over the student's own parts: the right layer, or the one that theirs is found to
    be on the arguments ``habit``. A mistake is named over the oracle's parts or over theirs.
    """
    theirs = cache(lambda: followed(student))

    def named(mistake: Any) -> Any:
        value = make(mistake, oracle.PARTS)
        return value if is_close(got, value) or not theirs().differ else make(mistake, theirs())

    def own() -> Any:
        value = make(compose, theirs())
        if is_close(got, value) or habit is None:
            return value
        return make(habit_of(student, theirs(), habit), theirs())

    near = {tag: partial(named, mistake) for tag, mistake in mistakes.items()} | (more or {})
    want = make(compose, oracle.PARTS)
    return close(got, want, near=near, own=own, what=what, axes=AXES[want.ndim], **TOLERANCE)


def is_close(got: Any, want: Any) -> bool:
    return np.shape(got) == np.shape(want) and np.allclose(got, want, **TOLERANCE)


def feed(student: Any, call: Call, rows: slice, cache: Any) -> tuple[Any, Any]:
    """``layer_with_cache`` on some rows of a call -> (out, (k, v))."""
    args = call.x[rows], call.weights, int(call.positions[rows][0]), cache
    counts = call.n_heads, call.n_kv_heads
    return unpacked(student.layer_with_cache(*args, *counts, eps=call.eps, base=call.base))


def unpacked(reply: Any) -> tuple[Any, Any]:
    fits = isinstance(reply, list | tuple) and len(reply) == 2
    fits = fits and isinstance(reply[1], list | tuple) and len(reply[1]) == 2
    require(fits, "what came back is not a pair (out, (k, v))", "cache-not-returned")
    return reply[0], reply[1]


def cache_agrees(
    student: Any,
    call: Call,
    chunks: list[slice],
    got: Any,
    keep: Any = lambda reply: reply[0],
    dropped: int = 0,
) -> str | None:
    """Require the oracle's reply to the last of some chunks of rows.

    ``keep`` picks what is compared, the output or a half of the cache; ``dropped`` rows of the
    cache were evicted before the last chunk.
    """

    def reply(layer: Any, parts: SimpleNamespace, dropped: int = dropped) -> Any:
        if layer is compose and parts is oracle.PARTS and not dropped:
            return keep(right(call, tuple((rows.start, rows.stop) for rows in chunks)))
        past = None
        for rows in chunks:
            if rows is chunks[-1] and past:
                past = tuple(a[dropped:] for a in past)
            out, past = layer(changed(part(call, rows), past=past, parts=parts))
        return keep((out, past))

    remembered = {"cache-remembered": lambda: reply(compose, oracle.PARTS, 0)}
    what = f"rows {chunks[-1].start} to {chunks[-1].stop - 1}"
    known, unusual = CACHE | LAYER, {"eps": 0.5, "base": 20.0}
    return agrees(student, got, reply, mistakes=known, habit=unusual, what=what, more=remembered)


@lru_cache(512)  # chunk after chunk, keys and values of one; and for the next on a public draw
def right(call: Call, spans: tuple[tuple[int, int], ...]) -> tuple[Any, Any]:
    """The oracle's reply (out, (k, v)) to the last of some spans of rows, one after the other."""
    past = right(call, spans[:-1])[1] if len(spans) > 1 else None
    return compose(part(call, slice(*spans[-1])), past=past, parts=oracle.PARTS)


def part(call: Call, rows: slice) -> Call:
    return changed(call, x=call.x[rows], positions=call.positions[rows])


@lru_cache(1)  # of one check: a part is asked once for the same arguments, a call costs 0.3 ms
def followed(student: Any) -> SimpleNamespace:
    """The student's own parts, for a composition to be compared with their layer.

    Only parts worth following: one that gives a constant or its input back on a plain input would
    let an empty layer pass for a right one. CheckFailed for such a part or a reply of no use.
    ``differ`` of the result says whether a part (the mask apart) is known not to be the oracle's.
    """
    rng = np.random.default_rng(2)
    plain = {
        "rms_norm": (normal(rng, 3, 8), np.ones(8, np.float32), 1e-5),
        "rope": (normal(rng, 4, 2, 8), np.arange(4), 1e4),
        "attention": (*(normal(rng, 4, 2, 4) for _ in "qkv"), oracle.causal_mask(4, 4)),
        "swiglu": (normal(rng, 3, 6), *(normal(rng, 6, 6) for _ in range(3))),
    }

    differ, known = False, {}

    def of(name: str) -> Any:
        nonlocal differ
        right, own = getattr(oracle, name), getattr(student, name)

        def part(*args: Any) -> np.ndarray:
            key = name, *((a.shape, a.dtype.str, a.tobytes()) for a in map(np.asarray, args))
            if key not in known:
                got = np.asarray(own(*args))
                fits = got.shape == right(*args).shape and np.isfinite(got).all()
                require(fits, f"{name} cannot be followed")
                known[key] = got
            return known[key]

        if name in plain:
            got, want = part(*plain[name]), right(*plain[name])
            alive = 0.03 < got.std() / want.std() < 30 and not np.array_equal(got, plain[name][0])
            require(alive, f"{name} does next to nothing and is not followed")
            differ |= not is_close(got, want)
        return part

    parts = {name: of(name) for name in vars(oracle.PARTS)}
    return SimpleNamespace(**parts, differ=differ)


def habit_of(student: Any, parts: SimpleNamespace, changes: dict[str, float]) -> Any:
    """The mistake that the student's own layer makes on a plain input, where it is charged."""
    call = changed(problem(np.random.default_rng(1), 4, **changes), parts=parts)
    got = layer_of(student, call)
    for layer in (compose, *LAYER.values()):
        if is_close(got, layer(call)[0]):
            return layer
    return compose
