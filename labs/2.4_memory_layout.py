"""Lab 2.4 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions. The
measurements are functions of course/experiments/layout.py.
"""

# %% [markdown]
# # Lab 2.4: memory layout
#
# A tensor is a number of bytes and a rule that says where an element lies.
# In this lab you take a model file apart, write the rule, and measure what it costs to read against it.
#
# Times are this machine's, now; other programs disturb them.
# So they are compared with each other and never with another machine's, each is the best of several, and
# what you write should hold if all of them were half or twice as long.
#
# `lab report 2.4_memory_layout.ipynb` runs the notebook, writes the report and fills in `findings`.

# %%
import numpy as np

import minengine.gguf as gguf
from autograder import Checker
from course import lab
from course.experiments import layout
from minengine.engine import packaged_model

check = Checker("2.4_memory_layout", globals())
file = gguf.open(packaged_model())

# %% [markdown]
# ## 1. What is in the file
#
# ggml writes the innermost dimension first: `ne[0]` is the number of elements in a row, `nb[0]` the
# bytes of a block, `nb[1]` the bytes from one row to the next.
# NumPy writes the outermost first: the shape (1024, 256) is `ne` [256, 1024].

# %%
rows = layout.inventory(file)
lab.show(lab.table(rows[:12], ["tensor", "format", "ne", "nb", "offset", "bytes"]))
by_format = {}
for _, form, _, _, _, n_bytes in rows:
    by_format[form] = by_format.get(form, 0) + n_bytes
lab.show(lab.table(by_format.items(), ["format", "bytes"]))
lab.note("file", {"tensors": len(rows), "bytes": sum(by_format.values()), **by_format})

# %%
FORMATS = ("F32", "F16", "Q8_0", "Q4_0", "Q4_K", "Q6_K")
lab.show(layout.draw_blocks(FORMATS))

# %% [markdown]
# ## 2. The rule
#
# **Task.** Write `strides`: from a shape, the block of its format and nothing else, what `nb` is.
# Elements of a quantized row have no byte of their own, so the innermost stride is that of a block.


# %% hole="strides"
def strides(ne, block_size, block_bytes):
    """ggml's ``nb`` of a contiguous tensor: ne (innermost first) -> list of as many ints.

    nb[0] is the bytes of a block, nb[1] those of a row of ne[0] elements, nb[i] = nb[i-1] ne[i-1].
    ValueError where a row is no whole number of blocks.
    """
    raise NotImplementedError


# %% check="strides"
check("strides")

# %% [markdown]
# **Task.** Write `place`: the byte at which the block of an element begins, and which of the block's
# elements it is.
# A view has the same memory under other strides, so the rule must use `nb` and not the shape.


# %% hole="place"
def place(index, nb, block_size):
    """(byte of the block, element in the block): index, innermost first, and nb -> two ints."""
    raise NotImplementedError


# %% check="place"
check("place")

# %%
info = file.tensors["blk.0.attn_q.weight"]
_, nb = layout.ne_nb(info)
index = (77, 100)
at, inside = place(index, nb, 32)
block = info.data[at : at + 34]
scale, code = block[:2].copy().view(np.float16)[0], block[2:].view(np.int8)[inside]
lab.show(lab.Text(f"element {index}: byte {at}, number {inside} of its block: {scale * code:.6f}"))
lab.note("element", {"byte": at, "inside": inside, "value": float(scale) * int(code)})

# %% [markdown]
# ## 3. A view moves nothing
#
# The same bytes, read in rows and read across: only the strides are exchanged.
# The colour changes with the line of memory, 64 bytes on nearly every machine.

# %%
x = np.arange(24, dtype=np.float32).reshape(4, 6)
lab.show(layout.draw_view(x.shape, x.strides, "a matrix of 4 rows, byte of each element"))
lab.show(layout.draw_view(x.T.shape, x.T.strides, "its transpose, the same bytes"))
rows = [
    (name, view.shape, view.strides, view.flags.c_contiguous, np.shares_memory(view, x))
    for name, view in (("x", x), ("x.T", x.T), ("x[::2]", x[::2]), ("x[:, 1:3]", x[:, 1:3]))
]
lab.show(lab.table(rows, ["view", "shape", "strides", "contiguous", "shares memory"]))

# %% [markdown]
# ## 4. Lines
#
# Memory comes in lines. From a step of 16 floats on, every element that is read brings a line of its own.
# Predict the curve of nanoseconds an element: where does it bend?

# %%
lab.show(lab.code(layout.strides))

# %%
STEPS = (1, 2, 4, 8, 16, 32, 64)
by_step = layout.strides(32 << 20, STEPS)
lab.show(layout.draw_timed(by_step, "every step-th float32 of 32 MiB", by="ns"))
lab.note("steps", {r.stride: r.ns for r in by_step})

# %% [markdown]
# ## 5. Order
#
# The same elements of one matrix, each read once, in three orders.

# %%
by_order = layout.orders(2048)
lab.show(layout.draw_timed(by_order, "16 MiB in three orders", by="ns"))
lab.note("orders", {r.name: r.ns for r in by_order})

# %% [markdown]
# ## 6. Caches
#
# Copying an array that fits into a cache is faster than copying one that does not.
# Your machine's caches show as steps; `lscpu` says how large they are.

# %%
BYTES = tuple(1 << i for i in range(14, 27, 2))
by_size = layout.sizes(BYTES)
lab.show(layout.draw_timed(by_size, "copying, bytes read and written"))
lab.note("sizes", {r.stride: r.gbs for r in by_size})

# %% [markdown]
# ## 7. What a format buys
#
# Decoding reads every weight once for each token, so fewer bytes are less time, as long as unpacking
# them does not cost more than was saved.
# The product is the engine's own, on one thread, with float activations.

# %%
by_format = layout.formats(1024, ("F32", "F16", "Q8_0", "Q4_0", "Q4_K"))
lab.show(layout.draw_timed(by_format, "product of a 1024 x 1024 matrix", by="ns"))
rows = [(r.name, r.stride, r.ns, r.gbs) for r in by_format]
lab.show(lab.table(rows, ["format", "bytes a row", "ns a weight", "GB/s of weights"]))
lab.note("formats", {r.name: [r.stride, r.ns] for r in by_format})

# %% [markdown]
# ## 8. What was measured
#
# `lab report` writes this cell; there is nothing for you to type.


# %% hole="findings"
def findings():
    """What this notebook measured; `lab report` writes it."""
    raise NotImplementedError


# %% check="findings"
check("findings")

# %% [markdown]
# ## 9. Your write-up
#
# **Layout** (6 points): explain the file's inventory to somebody who knows NumPy: `ne`, `nb`, blocks,
# alignment; compute by hand where the element of part 2 lies. Draw or describe the same tensor if it
# were stored transposed.
#
# | points | for |
# |---|---|
# | 3 | the rule, in your own words and without an error |
# | 2 | one element worked by hand, every number of it |
# | 1 | what would change if rows were no multiple of 32 |

# %% answer="layout" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Access** (6 points): parts 4 to 6 with this machine's numbers: where does the curve bend, what do
# column order and random order cost, which caches do you see? Two points for numbers, two for causes, two
# for one thing that the simple picture does not explain, and a guess that could be tested.

# %% answer="access" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Formats** (6 points): is this product bound by memory or by arithmetic, for each format? Argue from
# the bytes a row and the time a weight, and from what copying showed to be possible. What would
# change with two threads, and with integer dot products? Two points each.

# %% answer="formats" points="6"
# YOUR ANSWER HERE
