"""Assignment 4 as text with holes; cells begin at the `# %%` lines.

Owns: what is asked of a student, and the stubs. Must not know: checks, points, solutions.
Every block of numbers is recomputed by tests/assignments/test_gpu_kernels.py.
"""

# %% [markdown]
# # Assignment 4: GPU kernels
#
# The layer of assignment 1 again, but now you write what runs for *one* thread of thousands.
# The arithmetic is known; what is new is who reads which number, who waits for whom, and how often a
# number crosses the bus.
# You write CUDA C; nothing here needs a GPU, because `cudasim` compiles your kernels for the processor
# of this machine and watches every load and store.
# Where there is a GPU, the same cells run on it.
#
# | task | name | idea |
# |---|---|---|
# | 1 | `scale_add` | one thread, one number |
# | 2 | `rms_norm` | a block agrees on a sum |
# | 3 | `softmax` | a warp agrees without memory |
# | 4 | `matmul` | read once, use often |
# | 5 | `matvec_q8_0` | weights in blocks of 34 bytes |
# | 6 | `matvec_q4_0` | two weights in a byte |
# | 7 | `attention` | one query, a paged cache, one pass |
#
# ## How it works
#
# A kernel is a function that every thread of a launch runs.
# Threads come in **blocks**, blocks in a **grid**; a thread finds its place by `blockIdx`, `blockDim`
# and `threadIdx`.
# Threads of one block share memory (`__shared__`) and can wait for each other (`__syncthreads`);
# 32 neighbours in a block are a **warp**, which moves together and can exchange registers
# (`__shfl_down_sync`).
# Different blocks know nothing of each other.
#
# ```
#   grid    [ block 0 ] [ block 1 ] [ block 2 ] ...        gridDim.x of them
#   block   [ warp 0: threads 0 to 31 ] [ warp 1 ] ...     blockDim.x threads
#   i       = blockIdx.x * blockDim.x + threadIdx.x
# ```
#
# Each task is a Python function that gets the sizes and says how to launch:
#
# ```python
# return source, grid, block, shared_bytes
# ```
#
# `source` is CUDA C++ with a kernel of the task's name, `extern "C" __global__ void`; `grid` and
# `block` are a number or a tuple of up to three; `shared_bytes` is the size of dynamic shared memory,
# 0 where you need none.
# The source may not depend on the sizes: kernels take them as arguments.
#
# ## What is checked
#
# - **Values**, on awkward sizes: 1, a prime, one more than a block.
#   The output is filled with NaN before the launch; what no thread writes is seen.
# - **Memory**: no load or store outside an array, none of a number that nobody wrote, no two threads at
#   one place without a barrier between them, no barrier that part of a block misses.
#   The message says which thread, which array, which line.
# - **Traffic**: the bytes that cross the bus, in sectors of 32 bytes, against the least the task needs.
#   It is a count, the same on every machine; no clock is read.
#   The least is each number once; for `matmul` each number once for 16 outputs, for the quantized
#   products the weights alone, for `attention` keys and values once for each query head.
#   How many times the least may be moved:
#
# | `scale_add` | `rms_norm` | `softmax` | `matmul` | `matvec_q8_0` | `matvec_q4_0` | `attention` |
# |---|---|---|---|---|---|---|
# | 1.25 | 2.5 | 2.6 | 1.4 | 4 | 8 | 1.4 |
#
# - **A kernel that does next to nothing** is not judged for memory and traffic, and earns nothing.
#
# What is handed in is the cell of each task: the source and the function.
# A check runs on this machine, in this notebook; it is not sandboxed here.
#
# Run the next cell once.

# %%
import numpy as np

from autograder import Checker
from cudasim import device

cupy = device.library()  # CuPy where there is a GPU, else cudasim
np.set_printoptions(precision=4, suppress=True)
check = Checker("04_gpu_kernels", globals())

# %% [markdown]
# ## A first launch
#
# Two blocks of four threads each write down where they are.
# `RawKernel(source, name)` is CuPy's, so are `asarray` and `asnumpy`; a call is
# `kernel(grid, block, arguments)`.
# Arguments are arrays and NumPy scalars of exactly the kernel's types: `np.int32(8)`, not `8.0`.

# %%
WHERE = r"""
extern "C" __global__ void where(int* block, int* thread, int n) {
    int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < n) {
        block[at] = blockIdx.x;
        thread[at] = threadIdx.x;
    }
}
"""
where = cupy.RawKernel(WHERE, "where")
block, thread = cupy.zeros(7, np.int32), cupy.zeros(7, np.int32)
where((2,), (4,), (block, thread, np.int32(7)))
print(cupy.asnumpy(block))
print(cupy.asnumpy(thread))

# %% [markdown]
# ```
# block         0 0 0 0 1 1 1
# thread        0 1 2 3 0 1 2
# ```
#
# Eight threads for seven numbers: the last one finds `at < n` false and does nothing.
#
# ## 1. One thread, one number
#
# $$ \mathrm{out}_i = a\,x_i + y_i $$
#
# The grid is a whole number of blocks, so there are mostly more threads than numbers.
# How many blocks of 256 threads does it take for n numbers, so that none is missing?
#
# **Task.** Write `scale_add`: the kernel, and the function that says how to launch it.


# %% hole="scale_add"
SCALE_ADD = r"""
extern "C" __global__ void scale_add(const float* x, const float* y, float* out, float a, int n) {
}
"""


def scale_add(n):
    """out[i] = a x[i] + y[i] for i in 0..n-1.

    Kernel: scale_add(const float* x, const float* y, float* out, float a, int n);
    x, y and out have n numbers -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="scale_add"
check("scale_add")

# %% [markdown]
# ## 2. RMSNorm: a block agrees on a sum
#
# $$ \mathrm{out}_{t,i} = \frac{x_{t,i}}{\sqrt{\frac{1}{D} \sum_j x_{t,j}^2 + \varepsilon}}\, w_i $$
#
# One row, one block: its threads add up the squares they see, then bring their sums together in shared
# memory, then everybody divides.
# D may be smaller than the block, larger, or no multiple of it.
#
# ```
#   thread      0    1    2    3    4    5    6    7
#   partial     a    b    c    d    e    f    g    h
#   step 4      a+e  b+f  c+g  d+h
#   step 2      ..   ..
#   step 1      sum
# ```
#
# Between two steps of that tree everybody must be done with the first: `__syncthreads()`, which *all*
# threads of the block must reach.
# The sum is then read by all of them, which needs one more.
#
# By hand, D = 4, weights 1, eps = 0:
#
# ```
# x             1.0000   3.0000   1.0000   5.0000
# squares       1.0000   9.0000   1.0000  25.0000     mean 9.0000
# out           0.3333   1.0000   0.3333   1.6667
# ```
#
# **Task.** Write `rms_norm`.
# Neighbouring threads should read neighbouring numbers: 32 threads that read 32 floats in a row cost
# four sectors, 32 that read a column cost 32.


# %% hole="rms_norm"
RMS_NORM = r"""
extern "C" __global__ void rms_norm(const float* x, const float* weight, float* out,
                                    int T, int D, float eps) {
}
"""


def rms_norm(T, D):
    """out[t, i] = x[t, i] / sqrt(mean_j x[t, j]^2 + eps) * weight[i].

    Kernel: rms_norm(const float* x, const float* weight, float* out, int T, int D, float eps);
    x and out (T, D), weight (D,) -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="rms_norm"
check("rms_norm")

# %% [markdown]
# ## 3. Softmax: a warp agrees without memory
#
# $$ \mathrm{out}_{t,s} = \frac{e^{x_{t,s} - m_t}}{\sum_r e^{x_{t,r} - m_t}},
#    \qquad m_t = \max_s x_{t,s} $$
#
# `__shfl_down_sync(mask, value, d)` gives a thread the value of the one `d` places on in its warp;
# `__shfl_xor_sync(mask, value, d)` that of the thread whose number differs in the bit `d`, and after
# five of them, 16, 8, 4, 2, 1, all 32 know the result.
# `mask` says which threads take part, one bit each; all that it names must arrive, with the same mask.
#
# ```
#   lane                0  1  2  3  4  5  6  7       (8 lanes shown)
#   value               3  1  4  1  5  9  2  6
#   max with xor 4      5  9  4  6  5  9  4  6
#   max with xor 2      5  9  5  9  5  9  5  9
#   max with xor 1      9  9  9  9  9  9  9  9
# ```
#
# The largest number starts at minus infinity, not at 0: rows may be negative everywhere.
# The compiler knows no `INFINITY`; its bits are `__int_as_float(0xff800000)`.
# A row may have `-inf` in it, though not everywhere.
# With more than one warp a row needs one step through shared memory after all.
#
# **Task.** Write `softmax`.


# %% hole="softmax"
SOFTMAX = r"""
extern "C" __global__ void softmax(const float* x, float* out, int T, int S) {
}
"""


def softmax(T, S):
    """Each row of x as probabilities.

    Kernel: softmax(const float* x, float* out, int T, int S); x and out (T, S)
    -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="softmax"
check("softmax")

# %% [markdown]
# ## 4. Matrix product: read once, use often
#
# $$ \mathrm{out}_{t,n} = \sum_k x_{t,k}\, w_{n,k} $$
#
# Both rows run along k, as weights lie in a GGUF file.
# A thread for each output that reads its own two rows reads every number of x N times.
# A block of 16 x 16 threads instead brings a **tile** of x and a tile of w, 16 x 16 each, into shared
# memory, and each number that was read is used 16 times:
#
# ```
#           k ->                     k ->
#   x  t [ tile ][ tile ] ..   w  n [ tile ][ tile ] ..      out  [ 16 x 16 ]
# ```
#
# for each tile of k: load both, **wait**, multiply, **wait**, next.
# The first wait is for what others loaded, the second for others that still read.
# T, K and N are no multiples of 16: what lies beyond an edge is loaded as zero, not read.
# And who loads which number of the tile decides whether neighbours read neighbours.
#
# **Task.** Write `matmul` with tiles.


# %% hole="matmul"
MATMUL = r"""
extern "C" __global__ void matmul(const float* x, const float* w, float* out, int T, int K, int N) {
}
"""


def matmul(T, K, N):
    """out[t, n] = sum_k x[t, k] w[n, k].

    Kernel: matmul(const float* x, const float* w, float* out, int T, int K, int N);
    x (T, K), w (N, K), out (T, N) -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="matmul"
check("matmul")

# %% [markdown]
# ## 5. Weights in blocks of 34 bytes
#
# Decoding multiplies one row with every weight of the model, so it takes as long as reading them.
# Q8_0 keeps 32 weights in 34 bytes: a scale `d` in 16 bits, then 32 signed bytes.
#
# $$ y_n = \sum_b d_{n,b} \sum_{j<32} q_{n,b,j}\; x_{32 b + j} $$
#
# ```
#   byte     0  1 | 2  3  4 ... 33
#            d    | q0 q1 q2 ... q31        w = d * q
# ```
#
# 34 is no multiple of 4: a block begins at an even address, no more.
# So `d` may be read as a half, `__half2float(*(const __half*)p)` with `#include <cuda_fp16.h>`, but four
# codes at once as an `int` may not: the load is misaligned, and a GPU stops the kernel.
#
# **Task.** Write `matvec_q8_0`.
# K is a multiple of 32; a warp for each row is a good start.


# %% hole="matvec_q8_0"
MATVEC_Q8_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q8_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
}
"""


def matvec_q8_0(N, K):
    """y[n] = sum_k w[n, k] x[k], w in blocks of Q8_0.

    Kernel: matvec_q8_0(const unsigned char* w, const float* x, float* y, int N, int K);
    w has N rows of K / 32 blocks of 34 bytes -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="matvec_q8_0"
check("matvec_q8_0")

# %% [markdown]
# ## 6. Two weights in a byte
#
# Q4_0: a scale in 16 bits, then 16 bytes of two codes each; 18 bytes for 32 weights.
#
# ```
#   byte     0  1 | 2        3        ...  17
#            d    | q0, q16  q1, q17  ...  q15, q31       low nibble first
#                                                         w = d * (q - 8)
# ```
#
# Byte j holds code j in its low half and code j + 16 in its high half.
# Codes are 0 to 15 and stand for -8 to 7.
#
# **Task.** Write `matvec_q4_0`.


# %% hole="matvec_q4_0"
MATVEC_Q4_0 = r"""
#include <cuda_fp16.h>

extern "C" __global__ void matvec_q4_0(const unsigned char* w, const float* x, float* y,
                                       int N, int K) {
}
"""


def matvec_q4_0(N, K):
    """y[n] = sum_k w[n, k] x[k], w in blocks of Q4_0.

    Kernel: matvec_q4_0(const unsigned char* w, const float* x, float* y, int N, int K);
    w has N rows of K / 32 blocks of 18 bytes -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="matvec_q4_0"
check("matvec_q4_0")

# %% [markdown]
# ## 7. One query, a paged cache, one pass
#
# Decoding asks one question of all that was said:
#
# $$ \mathrm{out}_h = \sum_{s < L} p_s\, v_{s,g}, \quad
#    p = \mathrm{softmax}_s \frac{q_h \cdot k_{s,g}}{\sqrt{E}}, \quad g = \lfloor h / (H / G) \rfloor $$
#
# Keys and values lie in blocks of B tokens, somewhere; `block_table[i]` says where the i-th block of
# this text is.
# Token s is at slot `s % B` of block `block_table[s / B]`.
# The last block is seldom full: what lies beyond L has not been written and may be anything.
#
# ```
#   block_table   [ 5, 0, 7 ]     B = 4, L = 10
#   token   0 1 2 3 | 4 5 6 7 | 8 9 . .
#   block   5       | 0       | 7
# ```
#
# The scores need not be kept.
# With the largest score so far, m, the sum of weights l and the weighted sum a, one more score s with
# its value v changes them to
#
# $$ m' = \max(m, s), \quad l' = l\,e^{m - m'} + e^{s - m'}, \quad a' = a\,e^{m - m'} + v\,e^{s - m'} $$
#
# and at the end out = a / l.
# That is the online softmax, the heart of FlashAttention.
# Two such triples of different tokens join by the same rule, so threads or warps may each take some.
#
# By hand, E = 1, values 1, 2 and 3:
#
# ```
# score         0.0000   1.0000   3.0000
# m             0.0000   1.0000   3.0000
# l             1.0000   1.3679   1.1851
# a             1.0000   2.3679   3.3205     out 2.8018
# ```
#
# **Task.** Write `attention`.
# E is at most 128, L at least 1.
# Each key and each value should cross the bus once for each query head, not more.


# %% hole="attention"
ATTENTION = r"""
extern "C" __global__ void attention(const float* q, const float* k, const float* v,
                                     const int* block_table, float* out,
                                     int L, int H, int G, int E, int B) {
}
"""


def attention(L, H, G, E, B):
    """One query over a paged cache, for each head softmax(q k^T / sqrt(E)) v.

    Kernel: attention(const float* q, const float* k, const float* v, const int* block_table,
    float* out, int L, int H, int G, int E, int B); q and out (H, E), k and v (blocks, B, G, E),
    block_table (ceil(L / B),) -> (source, grid, block, shared_bytes).
    """
    raise NotImplementedError


# %% check="attention"
check("attention")

# %% [markdown]
# ## Stretch: fewer bytes, more threads
#
# Not graded.
#
# - `cudasim.check(kernel, grid, block, arguments)` gives a report of where the bytes go, line by
#   line: look at your `matmul` before and after each change, and find the tile size beyond which
#   nothing is gained.
# - Let one block serve all query heads of a key/value head in `attention`, so that each key is read
#   once for H / G heads.
# - Split a long text over several blocks and join their triples in a second kernel: that is
#   Flash-Decoding.
