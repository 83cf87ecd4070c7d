"""Lab 2.6 as text with holes; cells begin at the `# %%` lines. It runs as a script and as a notebook.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions. The
measurements are functions of course/experiments/kernels.py.
"""

# %% [markdown]
# # Lab 2.6: GPU kernels
#
# Four small operations of an engine as CUDA kernels, and what each of them costs.
# The arithmetic fits on a line; what you practise is who touches which number, who waits for whom, and
# saying beforehand what a launch will cost.
#
# | task | name | idea |
# |---|---|---|
# | 1 | `choices` | what is measured |
# | 2 | `sectors`, `ways` | two predictions, then counted |
# | 3 | `penalize` | a histogram: many threads, one counter |
# | 4 | `rotate` | pairs that lie apart |
# | 5 | `round_q8` | a warp agrees without memory |
# | 6 | `cumulate` | a sum up to here, step by step |
#
# Nothing here needs a GPU: `cudasim` compiles your kernels for the processor and watches every load and
# store.
# Where there is a GPU, the cells with times run on it; counts are made by the simulator in any case.
#
# A task's function gets the sizes and says how to launch:
#
# ```python
# return source, grid, block, shared_bytes
# ```
#
# `source` is CUDA C++ with a kernel of the task's name, `extern "C" __global__ void`; `grid` and `block`
# are a number or a tuple of up to three; `shared_bytes` is the size of dynamic shared memory.
# The output is filled with NaN before every launch.
# Beside values it is checked that the launch is *clean*: nothing outside an array, nothing read that
# nobody wrote, no two threads at one place without a barrier or an atomic between them, no barrier
# that part of a block misses.
#
# `lab report 2.6_gpu_kernels.ipynb` runs the notebook, writes the report and fills in `findings`.

# %%
import numpy as np

from autograder import Checker
from course import lab
from course.experiments import kernels

np.set_printoptions(precision=4, suppress=True)
check = Checker("2.6_gpu_kernels", globals())

# %% [markdown]
# ## 1. What is measured
#
# **Task.** Choose, so that no two reports are the same:
#
# - `strides`: six different whole numbers from 1 to 64, some of them powers of two, some odd.
# - `lengths`: five different whole numbers from 1 to 600, at least one below 32 and one above 300.
# - `seed`: any whole number up to a million.


# %% hole="choices"
def choices():
    """What is measured: a dict with strides, lengths and seed."""
    return {"strides": [], "lengths": [], "seed": 0}


# %% check="choices"
check("choices")

# %%
chosen = choices()

# %% [markdown]
# ## 2. Predict
#
# Global memory comes in **sectors** of 32 bytes.
# When the 32 threads of a warp run one load, each sector that any of them needs is moved once.
#
# Shared memory has 32 **banks**: the float at place i lies in bank `i % 32`.
# Different places in one bank are served one after the other, the same place is served to all at once.
# The number of turns that a request takes is 1 without conflicts, 32 at worst.
#
# **Task.** A warp's thread t reads float number `t * stride`, and float 0 begins a sector.
# Write how many sectors that moves, and how many turns the same request takes in shared memory.
# You may count or find a formula; do not run the kernel first.


# %% hole="sectors"
def sectors(stride):
    """Sectors of 32 bytes that a warp moves when thread t reads float t * stride: int."""
    raise NotImplementedError


# %% check="sectors"
check("sectors")


# %% hole="ways"
def ways(stride):
    """Turns that shared memory takes when thread t reads float t * stride: int, 1 to 32."""
    raise NotImplementedError


# %% check="ways"
check("ways")

# %% [markdown]
# Now the launches: this is the source, and each stride of yours runs once.

# %%
lab.show(lab.Text(kernels.STRIDED.strip()))

# %%
for title, predicted, found in (
    ("sectors of a request", sectors, kernels.sectors(chosen["strides"])),
    ("turns of a request to shared memory", ways, kernels.ways(chosen["strides"])),
):
    guesses = {stride: predicted(stride) for stride in found}
    lab.show(kernels.draw_predicted(guesses, found, title))
    lab.note("sectors" if predicted is sectors else "ways", found)

# %% [markdown]
# ## 3. Many threads, one counter
#
# The frequency penalty lowers a token's logit each time it was used:
#
# ```
# out[v] = logits[v] - alpha * (how many i have history[i] == v)
# ```
#
# So the history has to be counted, and two threads may meet the same token at the same time.
# `counts[id] += 1` is a load, an addition and a store; between them another thread does the same, and one
# of the two is lost.
# `atomicAdd(&counts[id], 1)` is one step that nobody comes between.
#
# A block can keep the counters of its own part of the vocabulary in `__shared__` memory.
# That memory begins with whatever was there before.
#
# ```
#   block 0     tokens   0 .. 255     reads the history, counts those from 0 to 255
#   block 1     tokens 256 .. 511     reads the history, counts those from 256 to 511
# ```
#
# **Task.** Write `penalize`.
# An id of -1 is padding and counts nowhere.
# The history should not be read again for every token of the vocabulary.


# %% hole="penalize"
PENALIZE = r"""
extern "C" __global__ void penalize(const float* logits, const int* history, float* out,
                                    int V, int n, float alpha) {
}
"""


def penalize(V, n):
    """out[v] = logits[v] - alpha * (how often v is in history).

    Kernel: penalize(const float* logits, const int* history, float* out, int V, int n, float alpha);
    logits and out (V,), history (n,) -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="penalize"
check("penalize")

# %%
lab.show(kernels.launched(penalize, "penalize", kernels.measured("penalize", 300, chosen["seed"])))

# %% [markdown]
# ## 4. Pairs that lie apart
#
# RoPE turns pairs of a head's numbers by an angle that grows with the position.
# In one of the two conventions, that of Hugging Face's files, the partner of number i is number i + E/2:
#
# ```
# angle = positions[t] * base^(-2i/E)         for i from 0 to E/2 - 1
# a'    = a * cos(angle) - b * sin(angle)     a is number i of a head
# b'    = a * sin(angle) + b * cos(angle)     b is number i + E/2
# ```
#
# A thread for each pair is natural.
# Which pairs should neighbouring threads take, so that what they read lies side by side?
#
# **Task.** Write `rotate`.
# `positions[t]` is token t's position, which is not t: in decoding there is one token, far from 0.


# %% hole="rotate"
ROTATE = r"""
extern "C" __global__ void rotate(const float* x, const int* positions, float* out,
                                  int T, int H, int E, float base) {
}
"""


def rotate(T, H, E):
    """Each pair (i, i + E/2) of each head turned by positions[t] * base^(-2i/E).

    Kernel: rotate(const float* x, const int* positions, float* out, int T, int H, int E,
    float base); x and out (T, H, E), E even, positions (T,) -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="rotate"
check("rotate")

# %%
lab.show(kernels.launched(rotate, "rotate", kernels.measured("rotate", 20, chosen["seed"])))

# %% [markdown]
# ## 5. A warp agrees
#
# Q8_0 keeps 32 numbers as whole numbers from -127 to 127 and one scale, the largest magnitude of the 32
# over 127.
# What such a block gives back is
#
# ```
# d      = (largest |x[j]| of the block) / 127
# out[i] = d * round(x[i] / d)
# ```
#
# A block of 32 is a warp.
# With `__shfl_xor_sync(0xffffffff, v, k)` a thread gets v of the thread whose number differs from its own
# in the bit k; after five of them all 32 know the largest.
# All 32 threads must be there, also where the last block has fewer numbers.
#
# **Task.** Write `round_q8`.
# n may be anything; `rintf` rounds to the nearest.
# A block may be zero altogether.


# %% hole="round_q8"
ROUND_Q8 = r"""
extern "C" __global__ void round_q8(const float* x, float* out, int n) {
}
"""


def round_q8(n):
    """x as blocks of Q8_0 give it back, each 32 numbers a block, the last one perhaps shorter.

    Kernel: round_q8(const float* x, float* out, int n); x and out (n,)
    -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="round_q8"
check("round_q8")

# %%
lab.show(kernels.launched(round_q8, "round_q8", kernels.measured("round_q8", 300, chosen["seed"])))

# %% [markdown]
# ## 6. A sum up to here
#
# Top-p and the draw of a token need running sums of probabilities.
# A running sum looks serial; in log2(n) steps a block does it together:
#
# ```
#   values            1  2  3  4  5  6  7  8
#   add 1 to the left 1  3  5  7  9 11 13 15
#   add 2 to the left 1  3  6 10 14 18 22 26
#   add 4 to the left 1  3  6 10 15 21 28 36
# ```
#
# In each step a thread reads its neighbour's number, and that neighbour is about to write it.
# So there has to be a barrier between reading and writing, and one between the steps; and every thread
# of the block has to come to each of them, also those that have nothing to add.
#
# A row may be longer than a block.
# Then the block takes a piece of the row after the other and carries the sum so far along.
#
# **Task.** Write `cumulate`, a row a block.


# %% hole="cumulate"
CUMULATE = r"""
extern "C" __global__ void cumulate(const float* p, float* out, int T, int V) {
}
"""


def cumulate(T, V):
    """out[t, v] = p[t, 0] + ... + p[t, v].

    Kernel: cumulate(const float* p, float* out, int T, int V); p and out (T, V)
    -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="cumulate"
check("cumulate")

# %%
lab.show(kernels.launched(cumulate, "cumulate", kernels.measured("cumulate", 300, chosen["seed"])))

# %% [markdown]
# ## 7. What your kernels cost
#
# Each kernel on inputs of your five lengths.
# Before you run this: for which kernel does the left curve fall with the length, and which one's barriers
# grow in steps?

# %%
PLANS = {"penalize": penalize, "rotate": rotate, "round_q8": round_q8, "cumulate": cumulate}
lengths = sorted(chosen["lengths"])
costs = {name: kernels.cost(f, name, lengths, chosen["seed"]) for name, f in PLANS.items()}
lab.show(kernels.draw_costs(costs))
rows = [
    (name, r.length, r.moved_bytes, r.least_bytes, r.barriers, r.bank_conflicts)
    for name, kept in costs.items()
    for r in kept
]
headings = ["kernel", "length", "bytes moved", "least", "barriers", "bank conflicts"]
lab.show(lab.table(rows, headings))
lab.note("costs", {name: [r.noted() for r in kept] for name, kept in costs.items()})

# %% [markdown]
# And by the clock.
# On a GPU these are its times; in the simulator they only say how long it took to play the launch, so
# they are no measure of a kernel.

# %%
times = [(name, kernels.timed(f, name, 600)) for name, f in PLANS.items()]
lab.show(
    lab.table([(n, t.where, t.median_ms) for n, t in times], ["kernel", "ran on", "milliseconds"])
)

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
# ## 9. Your report
#
# **Predictions** (4 points): how did you come to your two formulas? For one stride of yours explain both
# numbers to somebody who has never heard of sectors and banks. Which strides are bad for one of the two
# memories and harmless for the other?
#
# | points | for |
# |---|---|
# | 2 | both numbers derived, not only read off |
# | 2 | a stride that the two memories judge differently, and why |

# %% answer="predictions" points="4"
# YOUR ANSWER HERE

# %% [markdown]
# **Waiting** (6 points): choose one barrier of your `cumulate` and take it out. What does the check say,
# which two lines, which two threads? Could the result still be right, and on which machine? Then the same
# for the atomic of `penalize`, replaced by `+=`. Put both back.
#
# | points | for |
# |---|---|
# | 2 | the finding in its own words, for each of the two |
# | 2 | which order of events loses a number |
# | 2 | why a test of values alone may pass |

# %% answer="waiting" points="6"
# YOUR ANSWER HERE

# %% [markdown]
# **Cost** (6 points): with the numbers of part 7, which of your four kernels is furthest from the least
# and what exactly does it move too often? What would you change first, and what would that cost? How do
# the barriers of `cumulate` grow with the length, and what would a block twice as large change? Two points
# each for numbers, causes, and a change that could be measured.

# %% answer="cost" points="6"
# YOUR ANSWER HERE
