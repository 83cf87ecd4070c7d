"""Assignment 2 as text with holes; cells begin at the `# %%` lines.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
Every block of numbers is recomputed by tests/assignments/test_kv_cache.py.
"""

# %% [markdown]
# # Assignment 2: a KV cache manager
#
# A model that writes keeps the keys and values of every token so far, because no later token changes
# them.
# That memory is what limits how many people one machine can serve.
# Give each text the longest piece it may ever need, and most of it stays empty; give it less, and it
# must move when it grows.
# Paged attention (Kwon et al. 2023, "PagedAttention", section 4) does what operating systems do: cut
# the memory into *blocks* of a few tokens, and keep for each text a *table* of the blocks it has.
# Blocks can then be handed out one at a time, shared by texts that begin alike, and found again.
# Here you build the part of an engine that decides who holds which block.
#
# | task | function | idea |
# |---|---|---|
# | 1 | `cache_bytes` | what a token costs |
# | 2 | `slots` | from a position to a place in memory |
# | 3 | `allocate` | all blocks that were asked for, or none |
# | 4 | `free` | the last holder lets go |
# | 5 | `fork` | two texts, one memory |
# | 6 | `append` | grow, and copy before you write |
# | 7 | `gather` | read back what is there, and nothing else |
# | 8 | `rewind` | make a text shorter |
# | 9 | `block_keys` | a name for a block and all before it |
# | 10 | `publish` | let others find what you computed |
# | 11 | `lookup` | find it |
# | 12 | `ring_append` | a window that never grows |
# | 13 | `ring_read` | the window in the order of the text |
# | 14 | `pad` | many texts in one pass |
# | 15 | `KVCache` | the parts together |
#
# ## How it works
#
# Each task ends with a check: run your cell, then the check below it.
# It says which idea is wrong, not only that something is.
# `autograder check` on the saved notebook runs the same checks and the hidden ones.
# Hidden checks have no tricks: they ask for what is written here, on other inputs.
# What is handed in is the cell of each task; a helper goes into the cell that needs it.
# Later tasks may call the functions of earlier ones.
# A mistake costs its points once: where a later task is wrong only because an earlier one is, it is
# checked again with a right function in the place of yours, and the check says so.
#
# ## The contract
#
# - **Letters.** B tokens in a block, L layers, G key/value heads, E width of a head, T new tokens.
# - **State is plain data.** A pool and a sequence are dicts (below); functions change them in place.
#   A block is its number, a Python `int` or NumPy's.
# - **All or nothing.** A call that cannot be done returns `None` and has changed *nothing*.
#   An engine that is out of memory must still serve the texts it has: the scheduler lets one wait and
#   tries again.
# - **Where a choice is left**, in which order unused blocks are taken say, any choice is right.
# - **Warnings and prints** cost nothing, and neither does speed; NumPy is all you need.
#
# Run the next two cells once.

# %%
import numpy as np

from autograder import Checker

np.set_printoptions(precision=4, suppress=True)
check = Checker("02_kv_cache", globals())

# %% [markdown]
# ## The state
#
# ```
# pool["refs"]        0 1 2 3 4 5      how many tables list each block; 0: nobody holds it
# pool["k"], ["v"]    (L, n_blocks, B, G, E), float32: the memory
# pool["block_size"]  B
# pool["found_by"]    key -> block: what can be found again (tasks 10 and 11)
# pool["cached"]      blocks that can be found and that nobody holds, least recently used first
#
# seq["table"]        the blocks of a sequence, in the order of its text
# seq["n"]            its tokens
# ```
#
# So a block is in one of three states:
#
# ```
#              refs     in cached
#   held       >= 1     no           somebody's text
#   cached     0        yes          nobody's, but a text that begins so may find it
#   unused     0        no           free for anything
# ```
#
# The next cell makes an empty pool to try things on; nothing of it is handed in.


# %%
def new_pool(n_blocks, block_size=4, n_layers=2, n_kv_heads=2, head_width=4):
    """A pool in which every block is unused and holds NaN, so that a read too far shows."""
    shape = (n_layers, n_blocks, block_size, n_kv_heads, head_width)
    return {
        "block_size": block_size,
        "refs": [0] * n_blocks,
        "k": np.full(shape, np.nan, np.float32),
        "v": np.full(shape, np.nan, np.float32),
        "found_by": {},
        "cached": [],
    }


# %% [markdown]
# ## 1. What a token costs
#
# A token leaves one key and one value in each layer, each of G heads of E numbers.
# The query heads are H, often four or eight times as many, and none of them is stored: that is what
# grouped heads were invented for.
# Memory comes in whole blocks: n tokens take $\lceil n / B \rceil$ of them, and none if n is 0.
#
# $$ \mathrm{bytes} = 2\,L\,G\,E \cdot \lceil n / B \rceil B \cdot \mathrm{itemsize} $$
#
# With 32 layers, 32 query heads, 8 key/value heads of 128 numbers in 2 bytes, and blocks of 16:
#
# ```
# tokens      blocks        bytes
#      1           1      2097152
#     16           1      2097152
#     17           2      4194304
#   4096         256    536870912
# ```
#
# **Task.** Write `cache_bytes`.


# %% hole="cache_bytes"
def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    """Bytes of the blocks that n tokens take, keys and values of all layers.

    Whole numbers, n_tokens may be 0 -> int.
    """
    raise NotImplementedError


# %% check="cache_bytes"
check("cache_bytes")

# %% [markdown]
# ## 2. From a position to a place
#
# Token j of a text lies in the block that its table lists at $\lfloor j / B \rfloor$, at the offset
# $j \bmod B$ in it.
# The number of that place in the whole memory is its *slot*:
#
# $$ \mathrm{slot}_j = \mathrm{table}[\lfloor j / B \rfloor] \cdot B + (j \bmod B) $$
#
# A table [7, 2, 5] with B = 4:
#
# ```
# token    0   1   2   3   4   5   6   7   8   9
# block    7   7   7   7   2   2   2   2   5   5
# offset   0   1   2   3   0   1   2   3   0   1
# slot    28  29  30  31   8   9  10  11  20  21
# ```
#
# **Task.** Write `slots` for the tokens start, start + 1, ..., stop - 1: a range as Python's.


# %% hole="slots"
def slots(table, start, stop, block_size):
    """Slots of the tokens start .. stop - 1 of a table.

    table a list of blocks, 0 <= start <= stop <= len(table) * block_size -> int (stop - start,).
    """
    raise NotImplementedError


# %% check="slots"
check("slots")

# %% [markdown]
# ## 3. All blocks that were asked for, or none
#
# `allocate(pool, n)` gives n blocks that nobody holds; each is then held once (`refs` 1).
# Unused blocks go first.
# If they are too few, cached ones are given up, the least recently used first: such a block leaves
# `cached`, and no key in `found_by` may lead to it any more, since it will hold another text.
# If both together are too few, nothing happens and the answer is `None`.
#
# Blocks 0 to 5, of which 1 and 4 are cached, 4 the older; `allocate(pool, 3)`:
#
# ```
#            refs          cached   found_by
# before     2 0 1 0 0 0   [4, 1]   {'p': 0, 'x': 4, 'y': 1}
# after      2 0 1 1 1 1   [1]      {'p': 0, 'y': 1}            3 and 5 were unused, 4 was given up
# ```
#
# **Task.** Write `allocate`.


# %% hole="allocate"
def allocate(pool, n):
    """n blocks that nobody held, each held once now; None if fewer can be had.

    n >= 0 -> list of n blocks, or None with nothing changed.
    """
    raise NotImplementedError


# %% check="allocate"
check("allocate")

# %% [markdown]
# ## 4. The last holder lets go
#
# Several tables may list one block, and `refs` counts them.
# `free(pool, blocks)` lets go of each block in the list once.
# Where the count comes to 0, nobody holds the block: if it can be found (it is a value of `found_by`)
# it becomes cached, at the end of `cached`, for it was used last; otherwise it is unused.
#
# Blocks that are let go in one call were one text, and the end of a text is worth less than its
# beginning: nobody can use block 3 of a text without blocks 0, 1 and 2.
# So they enter `cached` from the **last of the list to the first**.
#
# A block that is let go more often than it is held is a mistake somewhere else.
# Then nothing is let go at all, and the answer is `None`.
#
# **Task.** Write `free`; it returns the blocks that nobody holds any more, in any order.


# %% hole="free"
def free(pool, blocks):
    """Let go of each block once -> those that nobody holds any more.

    blocks a list, in the order of a text; a block may stand in it twice -> list, or None with
    nothing changed where a block is held fewer times than it stands in the list.
    """
    raise NotImplementedError


# %% check="free"
check("free")

# %% [markdown]
# ## 5. Two texts, one memory
#
# A conversation is continued in two ways, or a prompt is answered four times.
# `fork` makes a second sequence that reads the same: it has a table of its own, a copy of the list,
# over the **same** blocks, and each of them has one more holder.
# Not one row is copied.
#
# ```
#   parent  [4, 0, 2]           refs of 4, 0, 2:  1 1 1
#
#   parent  [4, 0, 2]           refs of 4, 0, 2:  2 2 2
#   child   [4, 0, 2]
# ```
#
# **Task.** Write `fork`.
# A table that lists a block nobody holds is stale: the answer is `None`.


# %% hole="fork"
def fork(pool, seq):
    """A second sequence over the same blocks, each held once more.

    -> {"table": ..., "n": ...}, or None with nothing changed if a block is held by nobody.
    """
    raise NotImplementedError


# %% check="fork"
check("fork")

# %% [markdown]
# ## 6. Grow, and copy before you write
#
# `append` stores the keys and values of T new tokens after those that a sequence has.
#
# - **Room.** First the block at the open end is filled up, then new blocks are added to the table.
#   A table never has more than $\lceil n / B \rceil$ blocks.
# - **Copy on write.** If the block at the open end is held by others too, they must not see what you
#   write.
#   Take a new block, copy the old one (keys and values, all layers), put it into your table in the
#   old one's place, and let go of the old one once.
#   Nothing else is ever copied: not a block that is yours alone, not a full one.
# - **What is written over cannot be found.** After a rewind the open end may lie in a block of
#   `found_by`.
#   If it is yours alone you may write to it, but its key must go.
# - **All or nothing.** Count what you need, new blocks *and* a copy, before you take anything.
#
# A parent of 6 tokens in blocks [3, 1] was forked; B = 4; the child appends 3 tokens:
#
# ```
#              table        n    refs of 3, 1, 0, 2
# parent       [3, 1]       6    2 2 0 0
# child        [3, 1]       6    2 2 0 0
#
# parent       [3, 1]       6    2 1 1 1
# child        [3, 0, 2]    9              0 is a copy of 1, then tokens 6 and 7 in 0, token 8 in 2
# ```
#
# **Task.** Write `append`; it returns the slots of the new tokens.


# %% hole="append"
def append(pool, seq, k, v):
    """Store T new tokens after the n of a sequence -> their slots.

    k and v float32 (L, T, G, E), T >= 0 -> int (T,), or None with nothing changed, neither pool nor
    sequence, if there are too few blocks.
    """
    raise NotImplementedError


# %% check="append"
check("append")

# %% [markdown]
# ## 7. Read back what is there, and nothing else
#
# Attention wants the keys and values of one layer in the order of the text.
# The last block is seldom full: behind the last token is memory that nobody wrote, and it may hold
# anything, NaN too.
# What you return is memory of its own, for the pool will be written again.
#
# **Task.** Write `gather`.


# %% hole="gather"
def gather(pool, seq, layer):
    """Keys and values of one layer of a sequence.

    -> (k, v), each (n, G, E).
    """
    raise NotImplementedError


# %% check="gather"
check("gather")

# %% [markdown]
# ## 8. Make a text shorter
#
# A user edits the last message; a guess of a small model is refused; a stop word was written.
# `rewind(pool, seq, n)` forgets all but the first n tokens: blocks that hold none of those are let
# go, as `free` does it; the block at the new open end stays, and what stands behind the end in it is
# garbage now.
#
# 9 tokens in blocks [3, 0, 2], B = 4:
#
# ```
# rewind to     8   5   4   1   0
# blocks        2   2   1   1   0
# ```
#
# **Task.** Write `rewind`; it returns the blocks that nobody holds any more.


# %% hole="rewind"
def rewind(pool, seq, n):
    """Forget all tokens but the first n -> blocks that nobody holds any more.

    -> list, or None with nothing changed unless 0 <= n <= seq["n"].
    """
    raise NotImplementedError


# %% check="rewind"
check("rewind")

# %% [markdown]
# ## 9. A name for a block and all before it
#
# A thousand requests begin with the same instructions, and their keys and values are the same.
# To find them again, a full block needs a key that two blocks share exactly if they hold the same
# rows.
# The tokens of the block are not enough: a row depends on *everything before it*, since attention
# looked there.
# So the key of a block is made of its own tokens and **the key of the block before it**.
#
# ```
#   tokens   p p p p | q q q q | r r          B = 4
#   keys        a    |    b    | none: not full yet
#
#   a = key(nothing, p p p p)        b = key(a, q q q q)
# ```
#
# A key is anything that can be a key of a dict: a number, a string, bytes, a tuple.
# The same text must have the same keys at every call, and different texts different ones.
# A 32-bit checksum is too short for that, and who can provoke a collision reads a stranger's text.
#
# **Task.** Write `block_keys`.


# %% hole="block_keys"
def block_keys(tokens, block_size):
    """One key for each full block of a text; equal exactly where the texts up to its end are.

    tokens a list of ints -> list of len(tokens) // block_size keys.
    """
    raise NotImplementedError


# %% check="block_keys"
check("block_keys")

# %% [markdown]
# ## 10. Let others find what you computed
#
# `publish(pool, seq, keys)` enters the full blocks of a sequence into `found_by`: the i-th key leads
# to the i-th block of the table.
# A block that is not full will be written, so it is not entered, even if there is a key for it.
# A key that leads to a block already keeps it: others may hold that one.
#
# **Task.** Write `publish`.


# %% hole="publish"
def publish(pool, seq, keys):
    """Make the full blocks of a sequence findable by the first of these keys.

    keys a list, of any length -> None.
    """
    raise NotImplementedError


# %% check="publish"
check("publish")

# %% [markdown]
# ## 11. Find it
#
# `lookup(pool, keys)` makes a sequence of the longest *beginning* of a text that can be found: from
# the first key on, up to the first that leads nowhere.
# Each block found is held once more, and what is held is not cached: nobody may give it up.
# When it is let go again it goes to the end of `cached`; so a lookup counts as a use.
#
# ```
#   keys          p  q  z  r          found_by has p, q and r
#   found         p  q  -  .          r is there, but not after z
# ```
#
# **Task.** Write `lookup`.


# %% hole="lookup"
def lookup(pool, keys):
    """A sequence of the blocks of the longest prefix of ``keys`` that is findable.

    -> {"table": ..., "n": ...}; an empty one if not even the first is there.
    """
    raise NotImplementedError


# %% check="lookup"
check("lookup")

# %% [markdown]
# ## 12. A window that never grows
#
# A text without end does not fit any memory.
# Many models look back over the last W tokens only; and the very first tokens, the *sinks*, must stay
# too, because a softmax that has nothing to look at looks there (Xiao et al. 2023, "Efficient
# Streaming Language Models with Attention Sinks", section 3).
# Such a cache is a ring: S cells that are written once, W cells that are written round and round.
#
# $$ \mathrm{cell}(p) = \begin{cases} p & p < S \\ S + (p - S) \bmod W & \text{otherwise}
# \end{cases} $$
#
# S = 2 sinks, W = 3, after 4, 5, 6 and 9 tokens: which position each cell holds:
#
# ```
# cell        0   1   2   3   4
# n = 4       0   1   2   3   .
# n = 5       0   1   2   3   4
# n = 6       0   1   5   3   4
# n = 9       0   1   8   6   7
# ```
#
# `ring` is a dict: `k` and `v` of shape (S + W, G, E), `n_sinks` (S), and `n`, the tokens **seen** so
# far.
# n goes on growing when the ring is full, because it is the position of the next token: its key is
# rotated by it.
#
# **Task.** Write `ring_append` for any number of new rows, more than the ring has cells too: what
# stays is what would stay if they came one by one.


# %% hole="ring_append"
def ring_append(ring, k, v):
    """Write T new rows into the ring and count them.

    k and v (T, G, E), T >= 1 -> None; the first row has position ring["n"].
    """
    raise NotImplementedError


# %% check="ring_append"
check("ring_append")

# %% [markdown]
# ## 13. The window in the order of the text
#
# **Task.** Write `ring_read`: the rows that a ring holds, in the order of the text, and their
# positions.
# In the drawing above, n = 9 gives the positions 0 1 6 7 8.
# Cells that nothing was written to yet are not rows.


# %% hole="ring_read"
def ring_read(ring):
    """What a ring holds, in the order of the text.

    -> (k, v, positions): (M, G, E), (M, G, E), int (M,), M at most S + W.
    """
    raise NotImplementedError


# %% check="ring_read"
check("ring_read")

# %% [markdown]
# ## 14. Many texts in one pass
#
# Reading a model's weights takes longer than one token's arithmetic, so an engine computes a token of
# many texts in each pass.
# Their tables stand below each other in one array, as wide as the longest.
# What the shorter ones lack is filled with a block that can be read (0, say), and a mask says which
# slots hold a token of the text.
#
# Tables [7, 2, 5], [1] and [3, 6] with 9, 2 and 8 tokens, B = 4:
#
# ```
# tables     mask
# 7 2 5      # # # #   # # # #   # . . .
# 1 0 0      # # . .   . . . .   . . . .
# 3 6 0      # # # #   # # # #   . . . .
# ```
#
# **Task.** Write `pad`.


# %% hole="pad"
def pad(seqs, block_size):
    """The tables of N sequences side by side, and which of their slots hold a token.

    M blocks in the longest table -> int (N, M), bool (N, M * block_size).
    """
    raise NotImplementedError


# %% check="pad"
check("pad")

# %% [markdown]
# ## 15. The parts together
#
# A cache for many texts at once.
# A sequence has a *name*, any value of your choice that can be a key of a dict; a name is never given
# twice, not even after its sequence was dropped.
#
# - `start(tokens)` makes a sequence of what can be found of a text, and returns its name and how many
#   tokens are there already.
#   **Never all of them**: the last token must be computed, for its logits, so look for the blocks of
#   `tokens[:-1]`.
# - `append(name, tokens, k, v)` appends rows and the tokens they belong to, and publishes what became
#   full.
#   It answers `True`, or `False` if there is no room; then nothing has changed.
# - `fork`, `rewind`, `read` and `drop` do to a sequence what the parts do; `drop` forgets it.
# - `state()` returns the pool and a dict of name -> sequence, those that live.
#
# The keys of a block need the *tokens* of its whole text.
# Who keeps them, and what must happen to them in each of these methods?
#
# **Task.** Write `KVCache`.
# `pool` is yours to keep and change.


# %% hole="KVCache"
class KVCache:
    """Many sequences over one pool."""

    def __init__(self, pool):
        raise NotImplementedError

    def start(self, tokens):
        """A sequence with what can be found of a text of at least one token -> (name, n)."""
        raise NotImplementedError

    def append(self, name, tokens, k, v):
        """Append T tokens, k and v (L, T, G, E) -> True, or False with nothing changed."""
        raise NotImplementedError

    def fork(self, name):
        """A second sequence that reads the same -> its name."""
        raise NotImplementedError

    def rewind(self, name, n):
        """Forget all tokens but the first n, 0 <= n <= its tokens -> None."""
        raise NotImplementedError

    def read(self, name, layer):
        """Keys and values of one layer -> (k, v), each (n, G, E)."""
        raise NotImplementedError

    def drop(self, name):
        """Forget a sequence and let go of its blocks -> None."""
        raise NotImplementedError

    def state(self):
        """-> (pool, {name: sequence})."""
        raise NotImplementedError


# %% check="KVCache"
check("KVCache")

# %% [markdown]
# ## A stretch (no points): the price of a search
#
# `allocate` finds unused blocks by looking at all of them, and `lookup` searches a list.
# A server has a hundred thousand blocks and allocates a thousand times a second.
# Which structures make every operation O(1) per block, the eviction order included?
# Time yours with 100,000 blocks before and after.
# Python's `OrderedDict` can forget its oldest entry and any other in constant time: what is missing?
