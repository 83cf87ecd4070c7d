"""Attention from scratch, in NumPy: percent text that runs as a script and opens as a notebook."""

# %% [markdown]
# # Attention from scratch
#
# A token asks a question, every token before it has an answer, and softmax says how much each answer
# counts.
# Everything else is bookkeeping.
# This text builds it from one query to a layer's attention and compares each step with the engine.

# %%
import numpy as np

from minengine import oracle

rng = np.random.default_rng(7)
np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## One query
#
# Scores are dot products: large where key and query point the same way.
# They are divided by the root of the width, because a sum of E products of unit numbers has a standard
# deviation of the root of E, and a softmax of large numbers is nearly a maximum.

# %%
E = 16
query, keys, values = rng.normal(size=E), rng.normal(size=(5, E)), rng.normal(size=(5, E))
scores = keys @ query / np.sqrt(E)
weights = np.exp(scores - scores.max())
weights /= weights.sum()
print("weights", weights, "sum", weights.sum())
gathered = weights @ values

# %% [markdown]
# Why the root? Here is the spread of scores with and without it.

# %%
for width in (4, 64, 1024):
    raw = np.einsum("ie,ie->i", rng.normal(size=(4000, width)), rng.normal(size=(4000, width)))
    print(f"E = {width:4}: deviation {raw.std():6.2f}, divided {raw.std() / np.sqrt(width):.2f}")

# %% [markdown]
# ## A whole text, causally
#
# All queries at once are a matrix product.
# What a query may not see gets the score minus infinity, and so the weight 0: it is as if it were not there.


# %%
def attend(q, k, v):
    """Causal attention of one head: q (T, E), k and v (S, E), the queries are the last T -> (T, E)."""
    T, S = len(q), len(k)
    scores = q @ k.T / np.sqrt(q.shape[1])
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ v


T = 6
q, k, v = rng.normal(size=(3, T, E))
out = attend(q, k, v)
want = oracle.attention(q[:, None], k[:, None], v[:, None], oracle.causal_mask(T, T))[:, 0]
print("largest difference to the oracle", np.abs(out - want).max())
assert np.allclose(out, want)

# %% [markdown]
# Causal means: what comes later changes nothing that was computed before.

# %%
later = v.copy()
later[-1] += 100
assert np.array_equal(attend(q, k, later)[:-1], out[:-1])

# %% [markdown]
# ## With a cache
#
# For the next token only its own query is new; keys and values of the others are kept.
# One row of the matrix is all that has to be computed.

# %%
assert np.allclose(attend(q[-1:], k, v), out[-1:])

# %% [markdown]
# ## Heads
#
# One softmax can point at one thing at a time, more or less.
# H heads of width E point at H things; their results stand side by side and a last matrix mixes them.

# %%
H, D = 4, 24
x = rng.normal(size=(T, D))
wq, wk, wv = rng.normal(size=(3, H * E, D)) / np.sqrt(D)
wo = rng.normal(size=(D, H * E)) / np.sqrt(H * E)
q, k, v = ((x @ w.T).reshape(T, H, E) for w in (wq, wk, wv))
heads = np.stack([attend(q[:, h], k[:, h], v[:, h]) for h in range(H)], axis=1)
y = heads.reshape(T, H * E) @ wo.T
want = oracle.attention(q, k, v, oracle.causal_mask(T, T)).reshape(T, -1) @ wo.T
print("largest difference to the oracle", np.abs(y - want).max())
assert np.allclose(y, want)
