"""Assignment 1 as text with holes; cells begin at the `# %%` lines.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
Every block of numbers is recomputed by tests/assignments/test_transformer_layer.py.
"""

# %% [markdown]
# # Assignment 1: a transformer layer
#
# A language model is one loop: look up the rows of the tokens, pass them through a stack of
# identical layers, read off the next token.
# Nearly all the arithmetic, and nearly all the bugs, live in those layers.
# Here you build one, in NumPy, as the llama family has it, and then give it the cache that makes
# generation affordable.
# What you write is compared with the engine `minengine`, operation by operation.
#
# | task | function | idea |
# |---|---|---|
# | 1 | `rms_norm` | keep the numbers in range |
# | 2 | `rope` | where a token stands is an angle |
# | 3 | `causal_mask` | nobody looks into the future |
# | 4 | `attention` | a weighted mean of what others have to say |
# | 5 | `swiglu` | think about it, token by token |
# | 6 | `layer` | the parts around one stream |
# | 7 | `layer_with_cache` | never compute a key twice |
#
# ## How it works
#
# Each task ends with a check: run your cell, then the check below it.
# It says which idea is wrong, not only that a number is.
# `autograder check` on the saved notebook runs the same checks and the hidden ones.
# Hidden checks have no tricks: they ask for what is written here, on other inputs.
# What is handed in is the cell of each task; a helper goes into the cell that needs it.
#
# ## The contract
#
# - **Letters.** T tokens now, S keys in all, D width of the model, H query heads,
#   G key/value heads (H is a multiple of G), E width of a head, F width of the feed-forward part.
# - **Weights** are stored as in the file, `(out, in)`: a projection is `x @ w.T`.
# - **Types in.** Arrays may be float16, float32 or float64, and not all the same.
# - **Types out.** float32 or float64, whichever you like; never float16, even when float16 goes in.
#   Compute in float32 at least: float16 is a way to store numbers, its largest is 65504.
# - **Inputs are not yours.** Change none of them, and return arrays with memory of their own.
# - **Warnings and prints** cost nothing, and neither does speed; NumPy is all you need.
#
# Run the next cell once.

# %%
import numpy as np

from autograder import Checker

np.set_printoptions(precision=4, suppress=True)
check = Checker("01_transformer_layer", globals())

# %% [markdown]
# ## 1. RMSNorm: keep the numbers in range
#
# Every layer adds to a stream of numbers, and thirty layers of adding would carry it far away.
# So each part of a layer first brings a token's row to one size.
# RMSNorm divides the row by its root mean square and gives each column a learned weight:
#
# $$ y_i = \frac{x_i}{\sqrt{\frac{1}{D}\sum_{j=1}^{D} x_j^2 + \varepsilon}}\; w_i $$
#
# $\varepsilon$ keeps a row of zeros from dividing by zero.
# Unlike LayerNorm it subtracts no mean and adds no bias.
# The sum runs over one token's row: a token is normed the same in whatever company it is.
#
# By hand, with $D = 4$:
#
# ```
# x                3.0000   1.0000  -1.0000   5.0000
# x squared        9.0000   1.0000   1.0000  25.0000   mean 9.0000, its root 3.0000
# x / root         1.0000   0.3333  -0.3333   1.6667
# weight           1.0000   2.0000   1.0000   1.0000
# y                1.0000   0.6667  -0.3333   1.6667
# ```
#
# **Task.** Write `rms_norm` for all rows at once.
# Mind a row of float16 numbers near 1000: what is their square?


# %% hole="rms_norm"
def rms_norm(x, weight, eps=1e-5):
    """Root-mean-square norm of each row.

    x (T, D), weight (D,) -> (T, D).
    """
    raise NotImplementedError


# %% check="rms_norm"
check("rms_norm")

# %% [markdown]
# ## 2. RoPE: where a token stands is an angle
#
# Attention compares rows, and a row does not know where it stands.
# Rotary position embedding turns each pair of numbers in a head by an angle that grows with the
# position, slower from pair to pair.
# Turning both sides of a dot product by the same angle changes nothing, so what remains in
# $q \cdot k$ is the *difference* of two positions: how far back something was.
#
# For pair $i = 0 \dots E/2 - 1$ of the token at position $p$:
#
# $$ \theta_i = p \cdot \mathrm{base}^{-2i/E}, \qquad
# \begin{aligned} a' &= a\cos\theta_i - b\sin\theta_i \\ b' &= a\sin\theta_i + b\cos\theta_i
# \end{aligned} \qquad (a, b) = (x_{2i},\, x_{2i+1}) $$
#
# ```
#   one head, E = 8      0   1   2   3   4   5   6   7
#   pairs here          (a   b) (a   b) (a   b) (a   b)      neighbours (llama)
#   pairs elsewhere     (a0  a1  a2  a3  b0  b1  b2  b3)     halves ("neox")
# ```
#
# Both conventions are in use, and a model read with the wrong one is fluent nonsense.
# Position 0 turns nothing, so a mistake here leaves the first token looking fine.
#
# By hand, $E = 4$ and base 10000, so that the pairs turn by $p$ and by $p / 100$:
#
# ```
# x                1.0000   0.0000   1.0000   0.0000
# position 0       1.0000   0.0000   1.0000   0.0000
# position 1       0.5403   0.8415   1.0000   0.0100
# position 2      -0.4161   0.9093   0.9998   0.0200
# ```
#
# **Task.** Write `rope`.
# All heads of a token turn alike; `positions` are integers in any order, not always 0, 1, 2.


# %% hole="rope"
def rope(x, positions, base=10000.0):
    """Rotate the pairs (2i, 2i + 1) of every head by position * base ** (-2i / E).

    x (T, n_heads, E), positions int (T,) -> (T, n_heads, E). E is even.
    """
    raise NotImplementedError


# %% check="rope"
check("rope")

# %% [markdown]
# ## 3. The causal mask: nobody looks into the future
#
# In training all tokens of a text pass at once; token 3 must not see token 4, which it is to guess.
# In an engine the same mask lets a whole prompt pass at once.
#
# The queries are the **last** T of S tokens: the others are in the cache already.
# So the last query sees the last key, whatever T and S are:
#
# $$ \mathrm{mask}_{t,s} = \big( s \le t + S - T \big) $$
#
# ```
#   T = 4, S = 4          T = 2, S = 5          T = 1, S = 5
#   # . . .               # # # # .             # # # # #
#   # # . .               # # # # #
#   # # # .
#   # # # #               # = True, may look;  . = False
# ```
#
# **Task.** Write `causal_mask`.


# %% hole="causal_mask"
def causal_mask(n_queries, n_keys):
    """Who may look at whom: True where query t sees key s.

    n_queries <= n_keys -> bool (n_queries, n_keys).
    """
    raise NotImplementedError


# %% check="causal_mask"
check("causal_mask")

# %% [markdown]
# ## 4. Attention: a weighted mean of what others have to say
#
# Each token asks a question $q$; each token offers a key $k$, by which it is found, and a value $v$,
# which it has to say.
# The answer is the mean of the values, weighted by how well key and question match:
#
# $$ \mathrm{out}_t = \sum_s p_{t,s}\, v_s, \qquad
#    p_{t,\cdot} = \mathrm{softmax}_s\!\left( \frac{q_t \cdot k_s}{\sqrt{E}} \right)
#    \text{ over the } s \text{ that } t \text{ may see} $$
#
# A dot product of E numbers grows like $\sqrt{E}$; dividing by it keeps the softmax from being sure
# of itself from the start.
# The softmax subtracts the largest score first: $e^{s_i} / \sum e^{s_j}$ stays what it is when all
# scores move together, and $e^{100}$ is already more than float32 can hold.
#
# **Heads.** Attention runs H times beside itself, each head with E numbers of its own.
# Keys and values are what the cache stores, so many models have fewer of them: each of the G
# key/value heads serves H / G query heads that stand side by side.
#
# ```
#   query head      0   1   2   3   4   5          H = 6
#                    \  |  /     \  |  /
#   key/value head      0           1              G = 2:  head h reads h // (H / G)
# ```
#
# **What is masked does not exist.**
# It has weight zero *in* the softmax: the weights of the others sum to one.
# A slot that no query may look at may hold anything, NaN too (memory nobody has written yet);
# and zero times NaN is NaN.
# A query that may see nothing at all, a row of padding, gives zeros.
#
# By hand, one head, $E = 4$, so that scores are halved; the values are rows of the identity:
#
# ```
# q             2 0 0 0
# keys          1 0 0 0     0 1 0 0     0 0 1 0
# q . k              2           0           0
# scores        1.0000      0.0000      0.0000
# exp           2.7183      1.0000      1.0000     sum 4.7183
# weights       0.5761      0.2119      0.2119
# out           0.5761  0.2119  0.2119  0.0000
# ```
#
# **Task.** Write `attention`.
# Loops over heads are fine; so is one `einsum`.


# %% hole="attention"
def attention(q, k, v, mask):
    """Grouped scaled dot-product attention.

    q (T, H, E), k and v (S, G, E), mask bool (T, S), True = may look -> (T, H, E).
    """
    raise NotImplementedError


# %% check="attention"
check("attention")

# %% [markdown]
# ## 5. SwiGLU: think about it, token by token
#
# Attention moves information between tokens; the feed-forward part works on each alone.
# It widens the row from D to F numbers twice: `up` computes features, `gate` decides how much of each
# passes, and `down` brings them back to D.
#
# $$ \mathrm{out} = \big( \mathrm{silu}(x W_g^\top) \odot x W_u^\top \big)\, W_d^\top,
# \qquad \mathrm{silu}(z) = z\,\sigma(z) = \frac{z}{1 + e^{-z}} $$
#
# ```
#            +-- w_gate -- silu --+
#   x (D) ---|                    * (F) -- w_down -- out (D)
#            +-- w_up ------------+
# ```
#
# By hand, with all widths 1, $w_g = 2$, $w_u = 3$, $w_d = 1$:
#
# ```
# x        1.0000
# gate     2.0000     silu  2.0000 * 0.8808 = 1.7616
# up       3.0000
# out      1.7616 * 3.0000 * 1.0000 = 5.2848
# ```
#
# **Task.** Write `swiglu`.
# It must be right for gates of -1000 and 1000; an overflow *warning* on the way costs nothing.


# %% hole="swiglu"
def swiglu(x, w_gate, w_up, w_down):
    """Gated feed-forward part.

    x (T, D), w_gate and w_up (F, D), w_down (D, F) -> (T, D).
    """
    raise NotImplementedError


# %% check="swiglu"
check("swiglu")

# %% [markdown]
# ## 6. The layer: the parts around one stream
#
# ```
#   x --+------------------------------------------------(+)--+--------------------(+)-- out
#       |                                                 |   |                     |
#       +- rms_norm -+- Wq - rope -+                      |   +- rms_norm - swiglu -+
#                    +- Wk - rope -+- attention - Wo -----+
#                    +- Wv --------+
# ```
#
# The row of a token runs straight through, the **residual stream**; each part reads a normed copy
# and *adds* what it found.
# A part whose last weights are zero leaves the stream as it was, which is a good first test.
#
# $$ \begin{aligned}
# h &= \mathrm{rms\_norm}(x), \quad q, k, v = h W_q^\top,\; h W_k^\top,\; h W_v^\top
#  \quad\text{(split into heads; } q \text{ and } k \text{ rotated)} \\
# m &= x + \mathrm{attention}(q, k, v)\, W_o^\top \\
# \mathrm{out} &= m + \mathrm{swiglu}(\mathrm{rms\_norm}(m)) \end{aligned} $$
#
# `weights` is a dict with the names of the file:
#
# | name | shape | | name | shape |
# |---|---|---|---|---|
# | `attn_norm` | (D,) | | `ffn_norm` | (D,) |
# | `attn_q` | (H E, D) | | `ffn_gate` | (F, D) |
# | `attn_k`, `attn_v` | (G E, D) | | `ffn_up` | (F, D) |
# | `attn_output` | (D, H E) | | `ffn_down` | (D, F) |
#
# Numbers $hE$ to $hE + E - 1$ of a projected row are head $h$.
# E is not always D / H: read it off the shapes.
#
# By hand: one token at position 0 (no rotation, nobody else to look at), $D = E = 2$, $F = 1$, norm
# weights 1, `attn_v` and `attn_output` the identity, `ffn_gate` = (1, 0), `ffn_up` = (0, 1),
# `ffn_down` = (1, 0):
#
# ```
# x             1.0000   7.0000
# rms_norm      0.2000   1.4000     root mean square 5.0000
# m             1.2000   8.4000     attention of one token is its value
# rms_norm      0.2000   1.4000
# swiglu        0.1540   0.0000     silu(0.2000) * 1.4000
# out           1.3540   8.4000
# ```
#
# **Task.** Write `layer` with the functions above.
# The tokens of `x` are a whole text: query t sees keys 0 to t, whatever their positions are.


# %% hole="layer"
def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    """One layer over a whole text.

    x (T, D), weights a dict, positions int (T,) -> (T, D).
    """
    raise NotImplementedError


# %% check="layer"
check("layer")

# %% [markdown]
# ## 7. The cache: never compute a key twice
#
# Generation adds one token at a time, and no earlier token's key or value ever changes: nobody looks
# into the future.
# So an engine keeps them, and a step computes one row, not the whole text again.
#
# `layer_with_cache(x, weights, start, cache, ...)` gets the T **new** rows alone and returns
# `(out, cache)`: the T rows of the layer's output, and the cache with the new rows after the old.
#
# - A cache is a pair `(k, v)`, each (P, G, E): **keys already rotated**, values as projected.
#   `None` is the empty cache.
# - `start` is the position of the first new row; the others follow it.
#   It is not always P: once old rows were thrown out to save memory, the cache is shorter than the
#   text, and the keys that stayed keep the angle they were stored with.
# - The cache you are given is not changed: a caller may continue it twice, with different tokens.
#
# A prompt of 3, two steps, and a step after the 2 oldest rows were thrown out:
#
# ```
# call      start   T   P   S   positions of the keys   mask
# prompt        0   3   0   3   0 1 2                   3 x 3
# step          3   1   3   4   0 1 2 3                 1 x 4
# step          4   1   4   5   0 1 2 3 4               1 x 5
# step          5   1   3   4   2 3 4 5                 1 x 4
# ```
#
# **Task.** Write `layer_with_cache`.
# The test of a cache is that nobody notices: a prompt at once, in chunks, or token by token gives the
# same numbers as `layer`.


# %% hole="layer_with_cache"
def layer_with_cache(x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    """One layer over T new rows that follow those in the cache.

    x (T, D), cache None or (k, v) of (P, G, E) -> (T, D), (k, v) of (P + T, G, E).
    """
    raise NotImplementedError


# %% check="layer_with_cache"
check("layer_with_cache")

# %% [markdown]
# ## A stretch (no points): attention in one pass
#
# `attention` holds T x S scores at once; for 32,768 tokens that is a thousand million per head.
# FlashAttention never holds them: it walks over the keys in blocks and keeps, per query, the largest
# score so far $m$, the sum of exponentials $\ell$ and the weighted sum of values $o$.
# When a block brings a larger score $m'$, what was summed is multiplied by $e^{m - m'}$.
#
# Add a cell below, write `attention_in_blocks(q, k, v, mask, block=16)`, and compare it with your
# `attention` on random inputs.
# What happens while a query has seen nothing yet, and $m$ is $-\infty$?
# Read Dao et al. 2022, "FlashAttention", section 3.1, afterwards.
