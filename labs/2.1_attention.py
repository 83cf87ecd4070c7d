"""Lab 2.1 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
"""

# %% [markdown]
# # Lab 2.1: implement attention, in NumPy and in C++
#
# Attention is four products and a softmax; what makes it hard is where the numbers lie.
# Here you write it twice: in NumPy, where an axis has a place and no name, and in C++, where it is a
# stride that you compute.
# Both are held against the engine of the course, on its own queries, keys and values.
#
# | task | name | idea |
# |---|---|---|
# | 1 | `project` | a product with a weight that lies (out, in) |
# | 2 | `split_heads`, `merge_heads` | the same numbers under another shape |
# | 3 | `attend` | scaled dot product, causal, a softmax that does not overflow |
# | 4 | `multi_head_attention` | heads in parallel, several queries on one key, the output projection |
# | 5 | `attention_cpp` | the same in C++17, compiled and called from here |
#
# Shapes: T queries, S keys, D width, H query heads, G key/value heads, E width of a head.
# Rotation by position is left to lesson 2.2: it turns q and k before they come here.
#
# Each task ends with a check; `lab report 2.1_attention.ipynb` runs everything and writes the report.

# %%
import numpy as np

from autograder import Checker
from course import broken, lab
from course.experiments import attention
from course.lab import native

np.set_printoptions(precision=4, suppress=True)
check = Checker("2.1_attention", globals())

# %% [markdown]
# ## 1. Projections
#
# A weight lies in the file as (out, in): row `o` is what output `o` reads.
#
# **Task.** Write `project`.


# %% hole="project"
def project(x, weight):
    """``y[t, o] = sum_i weight[o, i] x[t, i]``: x (T, in), weight (out, in) -> (T, out)."""
    raise NotImplementedError


# %% check="project"
check("project")

# %% [markdown]
# ## 2. Heads
#
# A projection gives all heads of a token side by side: head 0 has the first E numbers, head 1 the next.
# For a product per head the head's axis must come first.
#
# Before you write: which of `reshape` and `transpose` moves numbers in memory, and which only counts
# them differently?
#
# **Task.** Write `split_heads` and its inverse.


# %% hole="split_heads"
def split_heads(x, n_heads):
    """Heads first: (T, n_heads E) -> (n_heads, T, E)."""
    raise NotImplementedError


# %% check="split_heads"
check("split_heads")


# %% hole="merge_heads"
def merge_heads(x):
    """Heads side by side again: (n_heads, T, E) -> (T, n_heads E)."""
    raise NotImplementedError


# %% check="merge_heads"
check("merge_heads")

# %% [markdown]
# ## 3. Scaled dot product
#
# For each head: scores are q k, divided by the square root of E; what a query may not see is minus
# infinity; softmax over the keys; the weighted sum of values.
#
# The queries are the *last* T of the S tokens.
# With a cache T is 1 and S is the whole text, so the triangle of the mask ends at the last key.
#
# Scores of a real model reach hundreds, and exp(100) is more than a float32 holds.
#
# **Task.** Write `attend`.


# %% hole="attend"
def attend(q, k, v):
    """Causal attention of each head: q (n, T, E), k (n, S, E), v (n, S, E) -> (n, T, E).

    Query t sees key s where s <= t + S - T.
    """
    raise NotImplementedError


# %% check="attend"
check("attend")

# %% [markdown]
# ## 4. Multi-head attention
#
# With G key/value heads and H query heads, H / G neighbours share one: heads 0 and 1 read key/value head 0
# where H is 4 and G is 2.
#
# **Task.** Put it together.


# %% hole="multi_head_attention"
def multi_head_attention(x, wq, wk, wv, wo, n_heads, n_kv_heads):
    """Self-attention of a whole text: x (T, D) -> (T, D).

    wq (H E, D), wk and wv (G E, D), wo (D, H E); query head h reads key/value head h // (H / G).
    """
    raise NotImplementedError


# %% check="multi_head_attention"
check("multi_head_attention")

# %% [markdown]
# ## Against the engine
#
# The engine's first layer has queries, keys and values of its own; yours are the same operations on them.

# %%
engine = broken.right()
seen = broken.trace(engine, engine.tokenize("ROMEO:\nWhat light through yonder window breaks?"))
q, k, v = (seen[f"blk.0.{name}"] for name in ("q_rope", "k_rope", "attn_v"))
v = v.reshape(k.shape)


def in_numpy(q, k, v):
    """Your attention on (T, H, E), (S, G, E), (S, G, E) -> (T, H, E)."""
    share = q.shape[1] // k.shape[1]
    heads = (x.transpose(1, 0, 2) for x in (q, k.repeat(share, 1), v.repeat(share, 1)))
    return attend(*heads).transpose(1, 0, 2)


difference = np.abs(in_numpy(q, k, v).reshape(len(q), -1) - seen["blk.0.attended"]).max()
lab.show(lab.Text(f"largest difference to the engine's own, layer 0: {difference:.1e}"))

# %% [markdown]
# ## 5. In C++
#
# One function, no classes, no library but the standard one.
# The arrays come as the engine has them: row-major float32, `q[(t * H + h) * E + e]`.
#
# The signature is:

# %%
lab.show(lab.Text('extern "C" ' + native.SIGNATURE + ";"))

# %% [markdown]
# - `q` (T, H, E), `k` and `v` (S, G, E), `out` (T, H, E); causal as before.
# - Everything that `out` holds must be written; nothing beyond any array may be touched.
#   An index out of range here ends the kernel, not with an exception but altogether.
# - `extern "C"` keeps the name as it is; without it the linker knows another one.
#
# It is compiled with the system's compiler (`c++ -std=c++17 -O2 -Wall`).
#
# **Task.** Write the text of the program.


# %% hole="attention_cpp"
def attention_cpp():
    """The text of the C++17 program."""
    return r"""
#include <cmath>
#include <vector>

extern "C" void attention(const float* q, const float* k, const float* v, float* out,
                          int T, int S, int H, int G, int E) {
}
"""


# %% check="attention_cpp"
check("attention_cpp")

# %%
from autograder.compiler import compile_cpp

in_cpp = native.Attention(compile_cpp(attention_cpp()))
difference = np.abs(in_cpp(q, k, v) - in_numpy(q, k, v)).max()
lab.show(lab.Text(f"largest difference between the two: {difference:.1e}"))

# %% [markdown]
# ## Which is faster?
#
# Predict before you run: for a prompt of 512 tokens, and for one step of decoding after 512 tokens.
# NumPy has a tuned matrix product and pays about a microsecond for every call; your loops pay for
# nothing but what they do.

# %%
LENGTHS = (16, 64, 256, 512)
ways = {"NumPy": in_numpy, "C++": in_cpp}
prompt = attention.time_lengths(ways, LENGTHS)
step = attention.time_lengths(ways, LENGTHS, last_only=True)
lab.show(attention.draw_lengths(prompt, step, LENGTHS))
rows = [(n, *(w[name][i] for w in (prompt, step) for name in ways)) for i, n in enumerate(LENGTHS)]
lab.show(lab.table(rows, ["tokens", "prompt: NumPy", "C++", "step: NumPy", "C++"]))

# %% [markdown]
# ## Conclusions
#
# **Layout** (4 points): follow one number of k from the projection to the score it enters, in both
# programs: at which byte does it lie, which axis is walked innermost, and where does your C++ read
# memory with a stride? Half of the points for the place, half for what follows from it.

# %% answer="layout" points="4"
# YOUR ANSWER HERE

# %% [markdown]
# **Speed** (4 points): who wins where, by how much, and why? Which slope has each line of the left
# chart, and which did you expect? Half of the points for numbers of this report, half for causes that
# another measurement could prove wrong.

# %% answer="speed" points="4"
# YOUR ANSWER HERE
