"""What each known mistake in assignment 1 would give: one table per hole, tag -> function.

Owns: the near misses. A key is a tag of hints.yaml; a value takes the arguments of the hole. Each
is said in terms of the oracle (other arguments, other axes), so that no text here is a solution.
Must not know: checks, points, submissions. Read before: minengine/oracle.py.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from minengine import oracle


def eps_outside(x, w, eps=1e-5):
    """``x / (rms + eps) * w``, since ``(rms + eps)^2 = rms^2 + 2 eps rms + eps^2``."""
    rms = np.linalg.norm(oracle.f64(x), axis=-1, keepdims=True) / np.sqrt(x.shape[-1])
    return oracle.rms_norm(x, w, 2 * eps * rms + eps**2)


def sum_for_mean(x, w, eps=1e-5):
    n = x.shape[-1]
    return oracle.rms_norm(x, w, eps / n) / np.sqrt(n)


def root_missing(x, w, eps=1e-5):
    y = oracle.rms_norm(x, np.ones_like(w), eps)
    return np.where(x == 0, 0, y * y / np.where(x == 0, 1, x)) * w


NORM = {
    "norm-eps-outside": eps_outside,
    "norm-eps-fixed": lambda x, w, eps=1e-5: oracle.rms_norm(x, w),
    "norm-eps-missing": lambda x, w, eps=1e-5: oracle.rms_norm(x, w, 0.0),
    "norm-mean-subtracted": lambda x, w, *eps: oracle.rms_norm(
        oracle.f64(x) - oracle.f64(x).mean(-1, keepdims=True), w, *eps
    ),
    "norm-sum-for-mean": sum_for_mean,
    "norm-wrong-axis": lambda x, w, *eps: oracle.rms_norm(x.T, np.ones(len(x)), *eps).T * w,
    "norm-over-all": lambda x, w, *eps: (
        oracle.rms_norm(x.ravel(), np.ones(x.size), *eps).reshape(x.shape) * w
    ),
    "norm-root-missing": root_missing,
    "norm-weight-missing": lambda x, w, *eps: oracle.rms_norm(x, np.ones_like(w), *eps),
    "norm-weight-plus-one": lambda x, w, *eps: oracle.rms_norm(x, w + 1, *eps),
    # A square of 1000 is infinite in float16.
    "norm-float16-square": lambda x, w, *eps: oracle.rms_norm(
        x, w, np.inf if x.dtype == np.float16 else 0.0
    ),
}


def overwritten(x, *args):
    """The second coordinate computed from the new first one."""
    turned, again = oracle.rope(x, *args), oracle.f64(x).copy()
    again[..., 0::2] = turned[..., 0::2]
    turned[..., 1::2] = oracle.rope(again, *args)[..., 1::2]
    return turned


ROPE = {
    "rope-nothing-turned": lambda x, p, *base: x,
    "rope-pairs": lambda *args: oracle.rope(*args, pairing="neox"),
    "rope-sign": lambda x, p, *base: oracle.rope(x, -p, *base),
    "rope-exponent": lambda x, p, base=1e4: oracle.rope(x, p, base**0.5),
    "rope-base-fixed": lambda x, p, base=1e4: oracle.rope(x, p),
    "rope-from-one": lambda x, p, *base: oracle.rope(x, p + 1, *base),
    "rope-row-number": lambda x, p, *base: oracle.rope(x, np.arange(len(p)), *base),
    "rope-half": lambda x, p, *base: oracle.rope(x, p, *base, n_rot=x.shape[-1] // 4 * 2),
    "rope-by-head": lambda x, p, *base: oracle.rope(
        x.swapaxes(0, 1), np.arange(x.shape[1]), *base
    ).swapaxes(0, 1),
    "rope-overwritten": overwritten,
}


MASK = {
    "mask-all": lambda t, s: np.ones((t, s), bool),
    "mask-top-left": lambda t, s: oracle.causal_mask(s, s)[:t],
    "mask-diagonal": lambda t, s: oracle.causal_mask(t + 1, s)[:t],
    "mask-future": lambda t, s: oracle.causal_mask(t, s + 1)[:, :s],
    "mask-inverted": lambda t, s: ~oracle.causal_mask(t, s),
    "mask-mirrored": lambda t, s: oracle.causal_mask(t, s)[::-1, ::-1],
}


def scaled(scale):
    """Attention with a scale that follows from H and E."""
    return lambda q, *rest: oracle.attention(q, *rest, scale=scale(*q.shape[1:]))


def grouped(group):
    """Attention where query head h of H reads ``group(h, H, G)``."""

    def attention(q, k, v, mask):
        reads = [group(h, q.shape[1], k.shape[1]) for h in range(q.shape[1])]
        return oracle.attention(q, k[:, reads], v[:, reads], mask)

    return attention


def over_queries(q, k, v, mask):
    """Softmax over the wrong axis: each key shares itself out among the queries."""
    reads = np.arange(q.shape[1]) // (q.shape[1] // k.shape[1])
    one_hot = np.repeat(np.eye(len(q))[:, None], q.shape[1], axis=1)
    shares = oracle.attention(k[:, reads], q, one_hot, np.transpose(mask))  # (S, H, T)
    return np.einsum("sht,she->the", shares, v[:, reads])


def row_by_row(change):
    """Attention of one query at a time over what ``change`` makes of keys, values, its mask."""

    def attention(q, k, v, mask):
        rows = ((q[t : t + 1], *change(k, v, m[:, None, None])) for t, m in enumerate(mask))
        return np.concatenate([oracle.attention(*row) for row in rows])

    return attention


def penalised(penalty):
    """Attention where what is masked has ``penalty`` added to its score and is not hidden."""

    def attention(q, k, v, mask):
        root = np.sqrt(q.shape[2])

        def row(t):
            one = np.full((1, q.shape[1], 1), root)  # one more coordinate carries the penalty
            cost = np.where(mask[t], 0.0, penalty)[:, None, None].repeat(k.shape[1], axis=1)
            longer = np.concatenate((q[t : t + 1], one), 2), np.concatenate((k, cost), 2)
            return oracle.attention(*longer, v, scale=1 / root)

        return np.concatenate([row(t) for t in range(len(q))])

    return attention


def untransposed(q, k, v, mask):
    """(H, T, E) relabelled (T, H, E) by a reshape."""
    return oracle.attention(q, k, v, mask).swapaxes(0, 1).reshape(q.shape)


def blind_uniform(q, k, v, mask):
    """A finite stand-in for -inf: a query that sees nothing sees everything, all the same."""
    blind = ~np.any(mask, axis=1)
    out = oracle.attention(q, k, v, mask)
    out[blind] = oracle.attention(q[blind], k, v, scale=0.0)
    return out


ATTENTION = {
    "scale-missing": scaled(lambda h, e: 1.0),
    "scale-no-root": scaled(lambda h, e: 1 / e),
    "scale-all-heads": scaled(lambda h, e: (h * e) ** -0.5),
    "scale-inverted": scaled(lambda h, e: e**0.5),
    "softmax-axis": over_queries,
    "heads-interleaved": grouped(lambda h, n_heads, n_groups: h % n_groups),
    "heads-first-group": grouped(lambda h, n_heads, n_groups: 0),
    "heads-not-transposed": untransposed,
    "mask-multiplied": row_by_row(lambda k, v, m: (k * m, v)),
    "mask-ignored": lambda q, k, v, mask: oracle.attention(q, k, v),
    "mask-inverted": lambda q, k, v, mask: oracle.attention(q, k, v, ~mask),
    "mask-after-softmax": row_by_row(lambda k, v, m: (k, v * m)),
    "mask-finite": penalised(-1e4),
    "attention-uniform": scaled(lambda h, e: 0.0),
}


def feed_forward(gate):
    """``gate(a, b) Wd^T`` where a and b are the two projections."""

    def swiglu(x, w_gate, w_up, w_down):
        a, b = oracle.matmul(x, w_gate), oracle.matmul(x, w_up)
        return oracle.matmul(gate(a, b), w_down)

    return swiglu


SWIGLU = {
    "swiglu-swapped": lambda x, gate, up, down: oracle.swiglu(x, up, gate, down),
    "swiglu-of-product": feed_forward(lambda a, b: oracle.silu(a * b)),
    "swiglu-gelu": feed_forward(
        lambda a, b: b * a * (1 + np.tanh((2 / np.pi) ** 0.5 * (a + 0.044715 * a**3))) / 2
    ),
    "swiglu-sigmoid": feed_forward(lambda a, b: (1 + np.tanh(a / 2)) / 2 * b),
    "swiglu-relu": feed_forward(lambda a, b: np.maximum(a, 0) * b),
    "swiglu-linear": feed_forward(lambda a, b: a * b),
    "swiglu-sum": feed_forward(lambda a, b: oracle.silu(a) + b),
    "swiglu-up-missing": feed_forward(lambda a, b: oracle.silu(a)),
}


PARTS = {
    "rms_norm": NORM,
    "rope": ROPE,
    "causal_mask": MASK,
    "attention": ATTENTION,
    "swiglu": SWIGLU,
}


def compose(call, **changes):
    """The layer of a call (its arguments by name) with some of them changed -> (out, (k, v))."""
    args = vars(call) | changes
    return oracle.layer(args.pop("x"), args.pop("weights"), args.pop("positions"), **args)


def replaced(call, **parts):
    """The layer with some of its parts replaced."""
    return compose(call, parts=SimpleNamespace(**(vars(call.parts) | parts)))


def reweighted(**names):
    """The layer with one weight in the place of another."""
    return lambda call: compose(
        call, weights=dict(call.weights) | {a: call.weights[b] for a, b in names.items()}
    )


def around_second_norm(change=lambda x, middle: middle, finish=lambda x, middle, out: out):
    """The layer where ``change`` says what is normed before the feed-forward part.

    ``middle`` is the stream after attention; ``finish`` has the last word on the output.
    """

    def layer(call):
        seen = []

        def rms_norm(x, w, eps):
            seen.append(x)
            return call.parts.rms_norm(x if len(seen) == 1 else change(seen[0], x), w, eps)

        out, kept = replaced(call, rms_norm=rms_norm)
        return finish(*seen, out), kept

    return layer


def norm_left_out(which):
    """The layer without its first or second norm."""

    def layer(call):
        count = iter((1, 2))

        def rms_norm(x, w, eps):
            return x if next(count) == which else call.parts.rms_norm(x, w, eps)

        return replaced(call, rms_norm=rms_norm)

    return layer


def post_norm(call):
    """Norms after the additions, as in the first transformers."""
    seen = []

    def rms_norm(x, w, eps):
        seen.append(x)
        return x if len(seen) == 1 else call.parts.rms_norm(x, call.weights["attn_norm"], eps)

    out, kept = replaced(call, rms_norm=rms_norm)
    normed = call.parts.rms_norm(seen[1], call.weights["attn_norm"], call.eps)
    return call.parts.rms_norm(out - seen[1] + normed, call.weights["ffn_norm"], call.eps), kept


def norm_in_place(call):
    """A rms_norm that writes into its argument: the stream itself is normed."""
    w, eps = call.weights, call.eps
    start = call.parts.rms_norm(call.x, w["attn_norm"], eps)
    seen = []

    def rms_norm(x, weight, eps):
        seen.append(x)
        return x if len(seen) == 1 else call.parts.rms_norm(x, weight, eps)

    out, kept = replaced(SimpleNamespace(**(vars(call) | {"x": start})), rms_norm=rms_norm)
    return out - seen[1] + call.parts.rms_norm(seen[1], w["ffn_norm"], eps), kept


def values_rotated(call):
    n = len(call.x)

    def turned(v):
        new = call.parts.rope(v[-n:], call.positions, call.base)
        return np.concatenate((v[:-n], new))

    def attention(q, k, v, mask):
        return call.parts.attention(q, k, turned(v), mask)

    out, (k, v) = replaced(call, attention=attention)
    return out, (k, turned(v))


def merged_wrongly(call):
    """Heads joined as (H, T, E) -> (T, H E) by a reshape."""

    def attention(*args):
        a = call.parts.attention(*args)
        return a.swapaxes(0, 1).reshape(a.shape)

    return replaced(call, attention=attention)


def all_visible(n_queries, n_keys):
    return np.ones((n_queries, n_keys), bool)


LAYER = {
    "layer-residual-missing": around_second_norm(
        lambda x, middle: middle - x, lambda x, middle, out: out - x
    ),
    "layer-ffn-residual-missing": around_second_norm(finish=lambda x, middle, out: out - middle),
    "layer-residual-from-input": around_second_norm(finish=lambda x, middle, out: out - middle + x),
    "layer-parallel": around_second_norm(lambda x, middle: x),
    "layer-post-norm": post_norm,
    "norm-in-place": norm_in_place,
    "layer-attn-norm-missing": norm_left_out(1),
    "layer-ffn-norm-missing": norm_left_out(2),
    "layer-norm-shared": reweighted(ffn_norm="attn_norm"),
    "layer-norms-swapped": reweighted(ffn_norm="attn_norm", attn_norm="ffn_norm"),
    "layer-gate-up-swapped": reweighted(ffn_gate="ffn_up", ffn_up="ffn_gate"),
    "layer-rope-missing": lambda call: replaced(call, rope=lambda x, *rest: x),
    "layer-values-rotated": values_rotated,
    "layer-heads-not-transposed": merged_wrongly,
    "layer-not-causal": lambda call: replaced(call, causal_mask=all_visible),
    "layer-positions-ignored": lambda call: compose(call, positions=np.arange(len(call.x))),
    "layer-eps-not-passed": lambda call: compose(call, eps=1e-5),
    "layer-base-not-passed": lambda call: compose(call, base=1e4),
}


def n_past(call):
    return len(call.past[0]) if call.past else 0


def keys_rotated_twice(call):
    """Keys from the cache are rotated again, and kept so."""
    if not call.past:
        return compose(call)
    old = call.positions[0] - n_past(call) + np.arange(n_past(call))
    return compose(call, past=(oracle.rope(call.past[0], old, call.base), call.past[1]))


def keys_kept_unrotated(call):
    """Keys stored as projected, and rotated by their row when they are used."""

    def unrotated(k):
        old, new = np.split(k, [n_past(call)])
        return np.concatenate((old, oracle.rope(new, -np.asarray(call.positions), call.base)))

    def attention(q, k, v, mask):
        turned = call.parts.rope(unrotated(k), np.arange(len(k)), call.base)
        return call.parts.attention(q, turned, v, mask)

    out, (k, v) = replaced(call, attention=attention)
    return out, (unrotated(k), v)


def only_new_rows(call):
    """The rows of this call alone are handed on."""
    out, past = compose(call)
    return out, tuple(a[n_past(call) :] for a in past)


def new_keys_first(call):
    """The new rows before the old ones, masked as if they came after them."""
    n = len(call.x)

    def attention(q, k, v, mask):
        return call.parts.attention(q, np.roll(k, n, 0), np.roll(v, n, 0), mask)

    out, (k, v) = replaced(call, attention=attention)
    return out, (np.roll(k, n, 0), np.roll(v, n, 0))


def top_left(call):
    return replaced(call, causal_mask=lambda t, s: oracle.causal_mask(s, s)[:t])


CACHE = {
    "cache-positions-restart": lambda call: compose(call, positions=np.arange(len(call.x))),
    "cache-positions-from-length": lambda call: compose(
        call, positions=n_past(call) + np.arange(len(call.x))
    ),
    "cache-ignored": lambda call: compose(call, past=None),
    "cache-mask-top-left": top_left,
    "cache-keys-rotated-twice": keys_rotated_twice,
    "cache-keys-unrotated": keys_kept_unrotated,
    "cache-new-first": new_keys_first,
    "cache-not-handed-on": only_new_rows,
}
