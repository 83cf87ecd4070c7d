"""Online softmax: percent text that runs as a script and opens as a notebook."""

# %% [markdown]
# # Online softmax
#
# Softmax needs the maximum of all scores before the first exponential, so it seems that all scores must
# be kept.
# They need not: a running maximum, a running sum and a running result are enough, each mended when a
# larger score comes.
# That is what lets FlashAttention read keys and values once, in pieces that fit into a cache.
# Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022,
# "FlashAttention", section 3.1.

# %%
import numpy as np

from minengine import oracle

rng = np.random.default_rng(5)

# %% [markdown]
# ## The step
#
# Let m be the largest score so far, s the sum of exp(score - m), and y the sum of exp(score - m) times value.
# A new score x with value v makes the maximum m' = max(m, x), and everything that was summed under m is
# too large by exp(m' - m):
#
#     s' = s exp(m - m') + exp(x - m'),    y' = y exp(m - m') + exp(x - m') v
#
# At the end y / s is what attention gathers.


# %%
def gather(scores, values):
    """softmax(scores) values, one score after the other: (S,), (S, E) -> (E,)."""
    top, total, y = -np.inf, 0.0, np.zeros(values.shape[1])
    for x, v in zip(scores, values, strict=True):
        now = max(top, x)
        old, weight = np.exp(top - now), np.exp(x - now)
        total, y, top = total * old + weight, y * old + weight * v, now
    return y / total


scores, values = rng.normal(size=50) * 4, rng.normal(size=(50, 8))
want = oracle.softmax(scores) @ values
print("one by one: largest difference", np.abs(gather(scores, values) - want).max())
assert np.allclose(gather(scores, values), want)

# %% [markdown]
# ## In blocks
#
# The same step takes a block of scores at a time; the engine's attention does so with the blocks of its
# cache.
# Two halves that were computed apart can be joined too: that is how one query's work is spread over
# processors (FlashDecoding).


# %%
def part(scores, values):
    """What a block contributes: (largest score, sum, sum of weighted values)."""
    top = scores.max()
    weights = np.exp(scores - top)
    return top, weights.sum(), weights @ values


def join(a, b):
    """Two parts as one, in any order."""
    top = max(a[0], b[0])
    x, y = np.exp(a[0] - top), np.exp(b[0] - top)
    return top, a[1] * x + b[1] * y, a[2] * x + b[2] * y


for size in (1, 7, 16, 50):
    parts = [part(scores[i : i + size], values[i : i + size]) for i in range(0, 50, size)]
    whole = parts[0]
    for other in parts[1:]:
        whole = join(whole, other)
    backwards = parts[-1]
    for other in parts[-2::-1]:
        backwards = join(backwards, other)
    assert np.allclose(whole[2] / whole[1], want)
    assert np.allclose(backwards[2] / backwards[1], want)
    print(f"{len(parts):2} blocks of {size:2}: {np.abs(whole[2] / whole[1] - want).max():.1e}")

# %% [markdown]
# ## What goes wrong without it
#
# Without the maximum exp overflows; with a maximum that starts at 0 scores far below 0 vanish; without
# mending the old sum the first scores count too much.

# %%
low = scores - 2000
assert np.allclose(gather(low, values), want)  # only differences count
with np.errstate(all="ignore"):
    naive = np.exp(scores + 800) / np.exp(scores + 800).sum() @ values
    from_zero = np.exp(low - 0) / np.exp(low - 0).sum() @ values
print("no maximum:", naive[:2], "  maximum from 0:", from_zero[:2])
assert np.isnan(naive).all()
assert np.isnan(from_zero).all()


def unmended(scores, values):
    """The mistake: the old sums are kept as they are."""
    top, total, y = -np.inf, 0.0, np.zeros(values.shape[1])
    for x, v in zip(scores, values, strict=True):
        top = max(top, x)
        total, y = total + np.exp(x - top), y + np.exp(x - top) * v
    return y / total


print("not mended: off by", np.abs(unmended(scores, values) - want).max().round(2))
assert not np.allclose(unmended(scores, values), want, atol=1e-2)
