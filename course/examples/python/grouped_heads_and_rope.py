"""Grouped heads and rotary positions: percent text that runs as a script and opens as a notebook."""

# %% [markdown]
# # Grouped heads and rotary positions
#
# Two changes turn the attention of 2017 into that of today's models: several query heads share a
# key/value head, and positions are rotations.

# %%
import numpy as np

from course.broken import right, trace
from minengine import oracle
from minengine.kvcache import BlockPool

rng = np.random.default_rng(3)

# %% [markdown]
# ## What sharing saves
#
# The cache keeps keys and values, no queries.
# So its size goes with G, the key/value heads, while the work of attention goes with H.

# %%
H, E, L, CONTEXT = 32, 128, 32, 4096
for name, G in (("MHA", 32), ("GQA", 8), ("MQA", 1)):
    n_bytes = BlockPool.bytes_for(CONTEXT, 16, L, G, E, "F16")
    print(f"{name}: {G:2} key/value heads, {n_bytes / 2**20:7.1f} MiB for {CONTEXT} tokens")

# %% [markdown]
# ## Which head shares which
#
# Neighbours share: head h reads h // (H / G).
# Repeating the keys gives the same as sharing them, and takes H / G times the memory.

# %%
T, H, G, E = 5, 6, 2, 8
q, k, v = rng.normal(size=(T, H, E)), rng.normal(size=(T, G, E)), rng.normal(size=(T, G, E))
mask = oracle.causal_mask(T, T)
shared = oracle.attention(q, k, v, mask)
repeated = oracle.attention(q, k.repeat(H // G, axis=1), v.repeat(H // G, axis=1), mask)
dealt = oracle.attention(q, np.tile(k, (1, H // G, 1)), np.tile(v, (1, H // G, 1)), mask)
assert np.allclose(shared, repeated)
print("dealt out in turn instead: off by", np.abs(shared - dealt).max().round(2))

# %% [markdown]
# ## Rotation
#
# A pair of coordinates is a point in the plane, or a complex number; position p turns pair i by
# p times its frequency.
# The score of a query at p and a key at s depends on p - s alone: both may move together.


# %%
def rotate(x, positions, base=10000.0):
    """Pairs (2i, 2i + 1) of x (T, heads, E) turned by positions (T,): multiplied by e^(i angle)."""
    pairs = x[..., 0::2] + 1j * x[..., 1::2]
    frequencies = base ** (-2 * np.arange(x.shape[-1] // 2) / x.shape[-1])
    turned = pairs * np.exp(1j * positions[:, None, None] * frequencies)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


positions = np.arange(T)
assert np.allclose(rotate(q, positions), oracle.rope(q, positions))
for shift in (0, 1, 1000):
    a, b = rotate(q[:1], np.array([9 + shift])), rotate(q[1:2], np.array([4 + shift]))
    print(f"shift {shift:4}: score {np.sum(a * b):.9f}")

# %% [markdown]
# ## Two pairings
#
# Some models pair neighbours (2i, 2i + 1), some pair halves (i, i + E/2).
# Neither is better, but a model knows one: whoever converts a file to the other must permute the rows of
# the query and key matrices.
# After the permutation the scores are the same.

# %%
order = np.concatenate([np.arange(0, E, 2), np.arange(1, E, 2)])  # neighbours to halves
halves = oracle.rope(q[..., order], positions, pairing="neox")
neighbours = oracle.rope(q, positions)
assert np.allclose(halves, neighbours[..., order])

# %% [markdown]
# The engine does all of this; its own values after rotation, against ours.

# %%
engine = right(n_threads=1)
ids = engine.tokenize("ROMEO:\nWhat light through yonder window breaks?")
seen, h = trace(engine, ids), engine.model.hparams
mine = rotate(seen["blk.0.attn_q"].reshape(len(ids), h.H, h.E), np.arange(len(ids)), h.rope_base)
print("largest difference to the engine", np.abs(mine - seen["blk.0.q_rope"]).max())
assert np.allclose(mine, seen["blk.0.q_rope"], atol=1e-4)
