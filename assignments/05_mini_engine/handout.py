"""The module project as text with holes; cells begin at the `# %%` lines.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
Every block of numbers is recomputed by tests/assignments/test_mini_engine.py.
"""

# %% [markdown]
# # Module project: a mini inference engine
#
# A file of numbers goes in, text comes out.
# You have built the parts one by one; here you build the whole, small enough to know every line of.
# What you hand in is a package of eleven pieces that reads a GGUF file, runs a llama with a KV cache,
# samples and writes.
# It must say the same as `minengine`, to the token, on the model of the course and on models that
# nobody has seen before.
#
# | module | piece | what it does |
# |---|---|---|
# | `gguf_file` | `read_gguf` | bytes to metadata and tensors |
# | `blocks` | `dequantize` | four formats to float32 |
# | `layers` | `rms_norm`, `rope`, `attention`, `feed_forward` | the operations of a layer |
# | `cache` | `KVCache` | keys and values, kept |
# | `model` | `Model` | tokens to logits |
# | `sampling` | `sample` | logits to a token |
# | `engine` | `generate` | a prompt to a text |
# | `tests` | `self_test` | what you know of all that |
#
# ## What counts
#
# | | points | how |
# |---|---|---|
# | function | 60 | logits, text, refusals, on random files; a mistake in a part costs once |
# | performance | 20 | processor time as a ratio to a yardstick, multiplications counted |
# | your tests | 5 | they pass on your package, and find bugs that are planted in it |
# | text of the code | 5 | ruff, size of functions, types, docstrings |
# | design | 10 | a human reads it, with your three answers at the end |
#
# Performance counts only where the logits are right.
# The text of the code is judged when the package writes something.
#
# ## How it works
#
# A cell is a piece; its helpers go into the same cell.
# All pieces share one namespace, as if each module began with `from .others import *`.
# The check below a cell says which idea is wrong; `autograder check` on the saved notebook runs the
# same checks, the hidden ones too with `--all`.
# `autograder package NOTEBOOK.ipynb --to mini_engine` writes your cells as the package of the table
# above, to be imported, run and edited with your own tools.
#
# ## The contract
#
# - **Letters.** T new tokens, S tokens in all, L layers, D width of the model, H query heads, G
#   key/value heads, E width of a head, F width of the feed-forward part, V vocabulary.
# - **Numbers** are float32 or float64; logits may differ from the right ones by 0.001 and by a
#   thousandth of their size.
# - **What cannot be done raises `ValueError`**, which says what was wrong.
#   An `IndexError` from somewhere inside is an accident, not a refusal.
# - **Arguments are not changed**, and NumPy with Python's standard library is all there is.
# - **Types and docstrings**: the skeleton has them; what you add has them too.
#
# Run the next cell once.

# %%
import numpy as np

from autograder import Checker

np.set_printoptions(precision=4, suppress=True)
check = Checker("05_mini_engine", globals())

# %% [markdown]
# ## 1. The file
#
# A GGUF file has a header, pairs of metadata, a directory of tensors, and data.
# All numbers are little-endian; `u32` is 4 bytes without a sign, `i64` is 8 bytes with one.
#
# ```
# header      4 bytes "GGUF", u32 version (2 or 3), u64 number of tensors, u64 number of pairs
# pair        string key, u32 value type, value
# tensor      string name, u32 number of dimensions, i64 each size, u32 kind, u64 offset
# string      u64 length in bytes, the bytes (UTF-8)
# array       u32 value type of its elements, u64 how many, the elements
# ```
#
# Value types, and the letters that `struct` has for them:
#
# ```
# type     0   1   2   3   4   5   6   7     8       9      10  11  12
#          u8  i8  u16 i16 u32 i32 f32 bool  string  array  u64 i64 f64
# struct   B   b   H   h   I   i   f   ?                    Q   q   d
# ```
#
# Four kinds of tensors are to be read, each made of blocks:
#
# ```
# kind   name   numbers in a block   bytes of a block
#    0   F32                     1                  4
#    1   F16                     1                  2
#    2   Q4_0                   32                 18
#    8   Q8_0                   32                 34
# ```
#
# Sizes stand in the file with the *contiguous* dimension first; NumPy wants it last.
# A matrix of 512 rows of 128 numbers has sizes 128, 512 in the file and shape (512, 128) in NumPy.
#
# The data begin where the directory ends, rounded up to a multiple of `general.alignment` (32 where
# the file does not say it).
# Each tensor's offset counts from there, and each tensor is padded to a multiple of the alignment:
#
# ```
# | header, pairs, directory |pad| tensor 0 |pad| tensor 1    |pad| ...
#                            ^   ^              ^
#                            end data begin,    offset of tensor 1:
#                                offset 0       size of tensor 0, rounded up
# ```
#
# The smallest whole file: one pair `a` = 7 (u32), one tensor `b` of three F32.
#
# ```
#   0  47 47 55 46 03 00 00 00 01 00 00 00 00 00 00 00
#  16  01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
#  32  61 04 00 00 00 07 00 00 00 01 00 00 00 00 00 00
#  48  00 62 01 00 00 00 03 00 00 00 00 00 00 00 00 00
#  64  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
#  80  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
#  96  00 00 80 3f 00 00 00 40 00 00 40 40 00 00 00 00
# 112  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
# ```
#
# A file comes from a stranger.
# One that is broken must be refused before a number of it is used, with a `ValueError`:
#
# - another magic, another version than 2 or 3;
# - an end before all that was announced, in the head or in the data;
# - a value type that does not exist, an array of arrays;
# - a key or a tensor's name that stands twice;
# - no dimension, or more than 4; a size below 1; a first size that is no whole number of blocks;
# - a kind that is not one of the four;
# - an alignment that is not a power of two;
# - an offset that is not exactly where the tensor before it ends, padded.
#
# **Task.** Write `read_gguf`.
# Metadata are plain Python values, arrays are lists (or arrays of NumPy).


# %% hole="read_gguf"
def read_gguf(data: bytes) -> tuple[dict, dict]:
    """Metadata and tensors of a GGUF file.

    -> ({key: value}, {name: (kind, shape, raw)}): kind an int, shape a tuple as NumPy has it, raw
    the tensor's bytes, uint8 (n,). ValueError where the file is broken.
    """
    raise NotImplementedError


# %% check="read_gguf"
check("read_gguf")

# %% [markdown]
# ## 2. Blocks
#
# A quantized block is a scale d (a float16, first) and 32 small whole numbers.
#
# - **Q8_0**: 32 bytes with a sign, $x_i = d\,q_i$.
# - **Q4_0**: 16 bytes; byte j has number j in its low half and number j + 16 in its high half, each 0
#   to 15, $x = d\,(q - 8)$.
#
# ```
# byte of Q4_0     0   1   2  ...  15          d = 0.5
#                 a3  5f  08  ...  71
# numbers 0-15     3  15   8  ...   1     ->   -2.5    3.5    0.0  ...   -3.5
# numbers 16-31   10   5   0  ...   7     ->    1.0   -1.5   -4.0  ...   -0.5
# ```
#
# **Task.** Write `dequantize`.
# It takes a tensor's three parts in the order in which `read_gguf` gives them.


# %% hole="dequantize"
def dequantize(kind: int, shape: tuple, raw: np.ndarray) -> np.ndarray:
    """The numbers of a tensor.

    raw uint8 (n,) -> float32 of this shape. ValueError for an unknown kind, or where raw has not
    exactly the bytes that the shape needs.
    """
    raise NotImplementedError


# %% check="dequantize"
check("dequantize")

# %% [markdown]
# ## 3. The norm
#
# $$ y_i = \frac{x_i}{\sqrt{\frac{1}{D} \sum_j x_j^2 + \epsilon}}\, w_i $$
#
# You wrote it in assignment 1; it may look the same here.


# %% hole="rms_norm"
def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """Root-mean-square norm over the last axis: x (..., D), weight (D,) -> (..., D)."""
    raise NotImplementedError


# %% check="rms_norm"
check("rms_norm")

# %% [markdown]
# ## 4. Positions
#
# In a llama's GGUF file neighbours make a pair: (0, 1), (2, 3), ...
# Pair i turns by $p \cdot \mathrm{base}^{-2i/E}$ at position p:
#
# $$ a' = a \cos\theta - b \sin\theta, \qquad b' = a \sin\theta + b \cos\theta $$
#
# ```
# E = 4, base 100     pair 0   pair 1
# angle at p = 1      1.0000   0.1000
# angle at p = 2      2.0000   0.2000
# (1, 0, 1, 0)        ->  -0.4161   0.9093   0.9801   0.1987   at p = 2
# ```


# %% hole="rope"
def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Each pair of a head turned by its angle.

    x (T, heads, E), positions int (T,) -> (T, heads, E).
    """
    raise NotImplementedError


# %% check="rope"
check("rope")

# %% [markdown]
# ## 5. Attention
#
# The T queries are those of the newest tokens, which stand at positions `start`, `start` + 1, ...
# The S keys are those of all positions from 0 on.
# Query t sees key s where $s \le \mathrm{start} + t$.
#
# $$ \mathrm{out}_{t,h} = \sum_s \mathrm{softmax}_s\!\left(\frac{q_{t,h} \cdot k_{s,g}}{\sqrt E}
# \right) v_{s,g}, \qquad g = \left\lfloor \frac{h}{H/G} \right\rfloor $$
#
# ```
# start = 3, T = 2      key   0 1 2 3 4
# query of position 3         # # # # .
# query of position 4         # # # # #
# ```


# %% hole="attention"
def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Causal grouped attention of the newest tokens.

    q (T, H, E), k and v (S, G, E), S = start + T -> (T, H, E). Subtract the largest score.
    """
    raise NotImplementedError


# %% check="attention"
check("attention")

# %% [markdown]
# ## 6. Feed-forward
#
# $$ y = W_{down}\,\bigl(\mathrm{silu}(W_{gate}\,x) \odot W_{up}\,x\bigr), \qquad
# \mathrm{silu}(z) = \frac{z}{1 + e^{-z}} $$
#
# Matrices stand as in the file, (out, in), so a row of x is multiplied by the transpose.


# %% hole="feed_forward"
def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """SwiGLU: x (T, D), gate and up (F, D), down (D, F) -> (T, D)."""
    raise NotImplementedError


# %% check="feed_forward"
check("feed_forward")

# %% [markdown]
# ## 7. The cache
#
# One text, a fixed number of rows at most, taken when the cache is made.
# A pass appends the keys and values of its tokens to layer 0, then to layer 1, and so on; so in the
# midst of a pass some layers hold more rows than others, and a token counts when **every** layer has
# it.
#
# ```
#                        layer 0   layer 1   length()
# 3 tokens so far              3         3          3
# append(0, 2 rows)            5         3          3
# append(1, 2 rows)            5         5          5
# rewind(4)                    4         4          4
# ```
#
# What `append` was given belongs to the caller, who may write to it afterwards.


# %% hole="KVCache"
class KVCache:
    """Keys and values of one text, all layers."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        """Room for ``capacity`` tokens."""
        raise NotImplementedError

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """Keep T rows, k and v (T, G, E); ValueError, nothing changed, where they do not fit."""
        raise NotImplementedError

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """All rows of a layer in the order of the text -> (k, v), (n, G, E) each."""
        raise NotImplementedError

    def length(self) -> int:
        """How many tokens every layer holds."""
        raise NotImplementedError

    def rewind(self, n: int) -> None:
        """Forget all tokens but the first n; ValueError unless 0 <= n <= length()."""
        raise NotImplementedError


# %% check="KVCache"
check("KVCache")

# %% [markdown]
# ## 8. The model
#
# What the metadata say (keys begin with `llama.`):
#
# ```
# block_count                        L
# embedding_length                   D
# attention.head_count               H
# attention.head_count_kv            G     H where it is missing
# attention.key_length               E     D / H where it is missing
# attention.layer_norm_rms_epsilon   eps
# rope.freq_base                     base  10000 where it is missing
# ```
#
# What the tensors are called, each with `.weight` behind it:
#
# ```
# token_embd                (V, D)      a row for each token
# blk.0.attn_norm           (D,)        and so for each layer
# blk.0.attn_q              (H E, D)    head after head
# blk.0.attn_k, attn_v      (G E, D)
# blk.0.attn_output         (D, H E)
# blk.0.ffn_norm            (D,)
# blk.0.ffn_gate, ffn_up    (F, D)
# blk.0.ffn_down            (D, F)
# output_norm               (D,)
# output                    (V, D)      token_embd again where it is missing
# ```
#
# And what is done with them:
#
# ```
# x = rows of token_embd
# for each layer:
#     h = rms_norm(x, attn_norm)
#     q, k, v = attn_q h, attn_k h, attn_v h, cut into heads; rope on q and k at their positions
#     k and v into the cache; attention of q over all that the cache has of this layer
#     x = x + attn_output (heads side by side)
#     h = rms_norm(x, ffn_norm)
#     x = x + feed_forward(h)
# logits = output rms_norm(x, output_norm)
# ```
#
# The first new token stands at the position `cache.length()` had *before* the pass.
# A prompt goes through in one pass, and so does each token after it: a pass never computes a token
# again that the cache holds.
#
# **Task.** Write `Model`.
# An architecture other than llama, or a tensor that is missing, is a `ValueError`.
# The check also looks at speed: how many multiplications a step takes, and how much processor time a
# step and a prompt take compared with `yardstick.py`, which does the same arithmetic on noise.
# Up to 15 times as much is fine, up to 6 times is good; seconds are never judged.


# %% hole="Model"
class Model:
    """A llama from the bytes of a GGUF file."""

    def __init__(self, data: bytes) -> None:
        """Read and check; ValueError where this is no llama or something is missing."""
        raise NotImplementedError

    def new_cache(self, capacity: int) -> KVCache:
        """An empty cache for this model."""
        raise NotImplementedError

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """Logits of each of T tokens that follow what the cache holds -> (T, V).

        Their keys and values are appended to the cache; without one the text begins here.
        """
        raise NotImplementedError


# %% check="Model"
check("Model")

# %% [markdown]
# ## 9. Sampling
#
# In this order: the `top_k` largest logits; of these the shortest beginning, most likely first, whose
# probabilities reach `top_p` (the token that reaches it is kept); of these all with at least `min_p`
# times the largest probability; then the temperature, and the draw.
# Probabilities are those of what the step before left.
#
# The draw goes through the tokens that are left **by their ids**, adding up probabilities: the first
# token at which the sum exceeds u is drawn.
# Temperature 0 is the largest logit, the first of equal ones, and looks at nothing else.
#
# ```
# id                                   0       1       2       3
# probability                     0.1000  0.4000  0.2000  0.3000
# top_k = 3, top_p = 0.7               .    keep       .    keep
# at temperature 1                     .  0.5714       .  0.4286
# at temperature 0.5                   .  0.6400       .  0.3600
# u = 0.6                       temperature 1 draws id 3, temperature 0.5 draws id 1
# ```
#
# `top_k` 0, `top_p` 1 and `min_p` 0 are off.


# %% hole="sample"
def sample(
    logits: np.ndarray,
    u: float,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """The token that u, 0 <= u < 1, draws of logits (V,) -> its id."""
    raise NotImplementedError


# %% check="sample"
check("sample")

# %% [markdown]
# ## 10. Writing
#
# The prompt in one pass, then a token a pass.
# The last row of logits says the next token; it is written, unless it is a stop token, which ends the
# text and is not part of it.
# Without `uniforms` the text is greedy (temperature 0); with them the i-th new token is drawn with
# `uniforms[i]` and the settings, which are those of `sample`.


# %% hole="generate"
def generate(
    model: Model,
    prompt: list,
    n_new: int,
    stop: tuple = (),
    uniforms: list | None = None,
    **settings: float,
) -> list:
    """Up to n_new tokens after a prompt of at least one -> the new ones, a list of int."""
    raise NotImplementedError


# %% check="generate"
check("generate")

# %% [markdown]
# When all of it works, let it write:
#
# ```python
# from minengine import Engine
#
# with Engine() as engine:
#     path, prompt = engine.path, engine.tokenize("ROMEO:")
#     text = generate(Model(open(path, "rb").read()), prompt, 60, uniforms=np.random.rand(60).tolist())
#     print(engine.detokenize(text))
# ```

# %% [markdown]
# ## 11. Your tests
#
# `self_test` gets the bytes of a small model of random weights (another one each time, in F32, Q8_0 or
# Q4_0) and returns the names of your tests that fail: an empty list where all is well.
# A test calls your pieces by their names and looks at what they give.
#
# It is judged by what it finds.
# Bugs are planted around your own pieces, one at a time: a `rope` with other pairs, a `rewind` that
# does nothing, a `generate` that goes on after a stop token.
# A bug is found where a test fails that does not fail without it; of each four, three are wanted.
#
# So ask of every piece what only the right one does: numbers you have worked by hand, two ways that
# must agree, a file with one byte changed.
# Tests that fail although the package is right cost the point for passing; tests that fail because it
# is wrong are good tests.


# %% hole="self_test"
def self_test(data: bytes) -> list:
    """Run your tests, on the bytes of a small model -> the names of those that fail."""
    raise NotImplementedError


# %% check="self_test"
check("self_test")

# %% [markdown]
# ## 12. Three answers
#
# A human reads your code and these answers, with the rubric below each question.
# Some sentences are enough; name the piece or the line you mean.
# An answer left as it is gets no points.
#
# ### Design
#
# Which piece knows what, and what does each piece *not* need to know?
# Name one place where you could have put a decision elsewhere, and say why it stands where it does.
#
# | points | for |
# |---|---|
# | 2 | each fact of the file format, of the model and of the cache is known in one place |
# | 1 | helpers are cut where a reader would cut them; nothing is written twice |
# | 1 | the answer names a real alternative and a reason |

# %% answer="review_design" points="4"
# YOUR ANSWER HERE

# %% [markdown]
# ### Names and words
#
# Choose one function of yours that was hard to name or to explain.
# What did you call it first, and what does its docstring promise that its code does not show?
#
# | points | for |
# |---|---|
# | 1 | names are those of the field, one word for one thing |
# | 1 | docstrings say shapes, units and errors; comments say why, not what |
# | 1 | the answer shows a change and its reason |

# %% answer="review_words" points="3"
# YOUR ANSWER HERE

# %% [markdown]
# ### Tests
#
# Which bug would your tests *not* find?
# Describe one, and the test that would.
#
# | points | for |
# |---|---|
# | 1 | tests are small and their names are claims |
# | 1 | expected values come from outside the code under test |
# | 1 | the answer describes a real gap and a test that closes it |

# %% answer="review_tests" points="3"
# YOUR ANSWER HERE
