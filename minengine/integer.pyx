"""The integer product of fast mode: activations rounded to 8 bits, sums of integers.

Owns: how activations are quantized, and the product with weights of any quantized format, as a text
to read: what it means. Must not know: layouts (`codes.pyx` unpacks them), tensor names, the graph.
Read before: `codes.pyx`; read after: `strips.pyx`, the same product to the bit in the processor's
own instructions, which is what the engine runs where there are any.

Activations are rounded in groups of 16: codes of 8 bits under one float32 scale d, max |x| / 127.
The divergence from exact arithmetic is 0.7 times what it is with groups of 32. A weight is
x = scale q + low, with one scale and low for 32 elements, or for 16 in a fine format (`codes.pyx`).
So 32 products are

    scale (d_0 sum_i q_i a_i + d_1 sum_j q_j a_j) + low (d_0 sum_i a_i + d_1 sum_j a_j),

i over the first 16 and j over the others: sums of integers, exact, and of activations alone, which
are made once for all rows. What is lost is the rounding of the activations: the exact mode of
`ops.matmul` loses nothing.

A row's sum has one order, whatever the number of threads and of tokens and whichever variant
computes it, and every float operation in it is a fused multiply-add: so a token's bits depend
neither on the others of its batch nor on the machine.
"""

import numpy as np

from cython.parallel cimport prange
from libc.float cimport FLT_MAX
from libc.math cimport fabsf, fmaf, rintf

from minengine.blocks cimport unpack_fn
from minengine.formats cimport Format
from minengine.sums cimport CHUNK
from minengine.threads cimport team

cdef enum:
    SIXTEENS = 16  # of a chunk

# a group (simd/layout.h) as numpy sees it
GROUP = np.dtype(
    [
        ("codes", "i1", 32), ("scale", "f4", 2), ("minus_sum", "i4", 2), ("sum", "f4", 2),
        ("both", "f4"), ("unused", "i4"),
    ]
)


cdef class Activations:
    """Rows x (T, n) as groups of 32 elements, rounded by the readable loop (`strips.rounded` has a
    faster one): codes, and of each half their scale and sums.

    Tokens stand in tiles of 16, the last one narrower, and a tile as (n / 32, tokens): what is read
    together lies together. ValueError where n is no multiple of 32.
    """

    def __init__(self, const float[:, ::1] x, int n_threads=1):
        self.fill(x, quantize_row, n_threads)

    cdef int fill(self, const float[:, ::1] x, quantize_fn quantize, int n_threads) except -1:
        cdef Py_ssize_t t, n_groups = x.shape[1] // GROUP_SIZE
        cdef unsigned char[::1] raw
        if x.shape[1] % GROUP_SIZE:
            raise ValueError(f"activations: rows of {x.shape[1]}, want a multiple of {GROUP_SIZE}")
        if n_threads < 1:
            raise ValueError(f"activations: n_threads {n_threads}, want at least 1")
        self.n_tokens, self.n = x.shape[0], x.shape[1]
        if self.room < self.n_tokens * n_groups:
            self.room = self.n_tokens * n_groups
            self.groups = np.empty(self.room, GROUP)
            raw = self.groups.view(np.uint8)
            self.data = <Group*>&raw[0]
        if self.n_tokens * n_groups == 0:
            return 0
        n_threads = team(n_threads, 4 * self.n_tokens * self.n)
        with nogil:
            if n_threads == 1:
                for t in range(self.n_tokens):
                    self.fill_token(t, &x[t, 0], n_groups, quantize)
            else:
                for t in prange(self.n_tokens, num_threads=n_threads, schedule="static"):
                    self.fill_token(t, &x[t, 0], n_groups, quantize)
        return 0

    cdef void fill_token(
        self, Py_ssize_t t, const float* x, Py_ssize_t n_groups, quantize_fn quantize
    ) noexcept nogil:
        """Token t's place in its tile of groups."""
        cdef Py_ssize_t first = t // TILE_TOKENS * TILE_TOKENS
        cdef Py_ssize_t wide = min(self.n_tokens - first, <Py_ssize_t>TILE_TOKENS)
        quantize(x, n_groups, self.data + first * n_groups + t - first, wide)

    def rows(self):
        """The groups by token: an array (T, n / 32) of GROUP."""
        n_groups, whole = self.n // GROUP_SIZE, self.n_tokens // TILE_TOKENS * TILE_TOKENS
        groups = np.empty(0, GROUP) if self.groups is None else self.groups
        tiles = groups[: whole * n_groups].reshape(-1, n_groups, TILE_TOKENS)
        last = groups[whole * n_groups : self.n_tokens * n_groups]
        last = last.reshape(n_groups, self.n_tokens - whole)
        return np.concatenate([tiles.swapaxes(1, 2).reshape(whole, n_groups), last.T])


cdef void quantize_row(
    const float* x, Py_ssize_t n_groups, Group* groups, Py_ssize_t stride
) noexcept nogil:
    """Codes ``round(x / d)`` with d = max |x| / 127 over 16, ties to even; 0 where max |x| is below
    127 / FLT_MAX = 3.7e-37; NaN scales where x has NaN or infinity.
    """
    cdef Py_ssize_t i, half
    for i in range(n_groups):
        for half in range(2):
            quantize_half(x + half * 16, groups, half)
        groups.both = fmaf(groups.scale[1], -<float>groups.minus_sum[1], groups.sum[0])
        x += GROUP_SIZE
        groups += stride


cdef inline void quantize_half(const float* x, Group* group, Py_ssize_t half) noexcept nogil:
    cdef signed char* codes = <signed char*>group.codes + half * 16
    cdef float largest = 0, rest = 0, inverse
    cdef int total = 0
    cdef Py_ssize_t j
    for j in range(16):
        largest = max(largest, fabsf(x[j]))
        rest += x[j] * 0  # NaN where one is NaN or infinite
    # below 4e-37 its inverse is no float any more, and what is so small is 0
    inverse = 127 / largest if largest > 127 / FLT_MAX and rest == 0 else 0
    for j in range(16):
        codes[j] = <signed char>rintf(x[j] * inverse) if inverse != 0 else 0
    for j in range(16):
        total += codes[j]
    group.scale[half] = largest / 127 + rest
    group.minus_sum[half] = -total
    group.sum[half] = group.scale[half] * <float>total


cdef inline float dot_codes(
    const short* q,              # IN (n,)
    const float* scale,          # IN (n / 16,)
    const float* low,            # IN (n / 16,)
    bint fine,                   # one scale for 16 elements, not for 32
    const Group* a,              # IN (n / 32,), one every `stride` groups
    Py_ssize_t stride,
    Py_ssize_t n,
    float total,
) noexcept nogil:
    """``total`` and the products of one chunk of a row: n elements, at most CHUNK."""
    cdef float part
    cdef int first, last
    cdef Py_ssize_t g, k
    for g in range(n // GROUP_SIZE):
        first = last = 0
        for k in range(16):
            first += <int>q[k] * <int>a.codes[k]
        for k in range(16, GROUP_SIZE):
            last += <int>q[k] * <int>a.codes[k]
        part = a.scale[0] * <float>first
        if fine:
            total = fmaf(scale[0], part, total)
            total = fmaf(scale[1], a.scale[1] * <float>last, total)
            total = fmaf(low[0], a.sum[0], total)
            total = fmaf(low[1], a.sum[1], total)
        else:
            total = fmaf(scale[0], fmaf(a.scale[1], <float>last, part), total)
            total = fmaf(low[0], a.both, total)
        q += GROUP_SIZE
        scale += 2
        low += 2
        a += stride
    return total


cdef void row_times(
    const unsigned char* row,    # IN (row_bytes,)
    unpack_fn unpack,
    bint fine,
    Py_ssize_t chunk_bytes,      # bytes of CHUNK elements
    const Group* tile,           # IN (n / 32, T)
    Py_ssize_t n_tokens,         # up to TILE_TOKENS
    Py_ssize_t n,
    float* out,                  # OUT (T,), one every `stride` floats
    Py_ssize_t stride,
) noexcept nogil:
    """out[t] = row . activations[t], each chunk of the row unpacked once for all tokens."""
    cdef short q[CHUNK]
    cdef float scale[SIXTEENS]
    cdef float low[SIXTEENS]
    cdef Py_ssize_t i = 0, m, t
    for t in range(n_tokens):
        out[t * stride] = 0
    while i < n:
        m = min(n - i, <Py_ssize_t>CHUNK)
        unpack(row, m, q, scale, low)
        for t in range(n_tokens):
            out[t * stride] = dot_codes(
                q, scale, low, fine, tile + i // GROUP_SIZE * n_tokens + t, n_tokens, m,
                out[t * stride],
            )
        row += chunk_bytes
        i += CHUNK


cdef int check(
    str what, Activations x, const unsigned char[:, ::1] weight, Format format,
    float[:, ::1] out, Py_ssize_t n_rows, int n_threads,
) except -1:
    if format.unpack == NULL:
        raise ValueError(f"{what}: {format.name} has no codes")
    if weight.shape[1] != format.row_bytes(x.n):
        raise ValueError(f"{what}: {weight.shape[1]} bytes a row, want {format.row_bytes(x.n)}")
    if weight.shape[0] != n_rows:
        raise ValueError(f"{what}: {weight.shape[0]} rows of weight, want {n_rows}")
    if out.shape[0] != x.n_tokens:
        raise ValueError(f"{what}: {out.shape[0]} rows of out, want {x.n_tokens}")
    if n_threads < 1:
        raise ValueError(f"{what}: n_threads {n_threads}, want at least 1")
    return 0


def matmul(
    Activations x,                        # IN (T, n)
    const unsigned char[:, ::1] weight,   # IN (R, row_bytes)
    Format format,
    float[:, ::1] out,                    # OUT (T, R)
    *,
    int n_threads=1,
):
    """``out[t, r] = sum_i weight[r, i] x[t, i]`` with x as it was rounded.

    ValueError where shapes differ or the format has no codes. Parallel over the rows of the weight.
    """
    cdef Py_ssize_t n_tokens = x.n_tokens, n = x.n, n_rows = weight.shape[0]
    cdef Py_ssize_t n_tiles = (n_tokens + TILE_TOKENS - 1) // TILE_TOKENS
    cdef Py_ssize_t job, r, t, chunk_bytes
    cdef unpack_fn unpack = format.unpack
    check("integer.matmul", x, weight, format, out, out.shape[1], n_threads)
    if n_tokens == 0 or n_rows == 0:
        return
    if n == 0:
        out[:, :] = 0
        return
    chunk_bytes = <Py_ssize_t>CHUNK // format.block_size * format.block_bytes
    n_threads = team(n_threads, n_tokens * n_rows * n)
    with nogil:
        for job in prange(n_tiles * n_rows, num_threads=n_threads, schedule="static"):
            r = job % n_rows
            t = job // n_rows * TILE_TOKENS
            row_times(
                &weight[r, 0], unpack, format.fine, chunk_bytes, x.data + t * (n // GROUP_SIZE),
                min(n_tokens - t, <Py_ssize_t>TILE_TOKENS), n, &out[t, r], n_rows,
            )
