"""The integer product of fast mode: activations rounded to 8 bits, sums of integers.

Owns: how activations are quantized, and the product with weights of any quantized format. Must not
know: layouts (`codes.pyx` unpacks them), tensor names, the graph. Read before: `codes.pyx`.

Activations are rounded in groups of 16: codes of 8 bits under one float32 scale, max |x| / 127. The
divergence from exact arithmetic is 0.7 times what it is with groups of 32. The codes stand in 16
bits: a product of 16-bit integers with its sum is one instruction on most processors, and C
compilers find it. A weight is x = scale q + low for 16 elements (`codes.pyx`), so 16 products are

    d (scale sum_i q_i a_i + low sum_i a_i),

both sums of integers, exact. What is lost is the rounding of the activations alone: the exact mode
of `ops.matmul` loses nothing. A row's sum has one order, whatever the number of threads and of
tokens, so a token's bits do not depend on the others of its batch.
"""

import numpy as np

from cython.parallel cimport prange
from libc.float cimport FLT_MAX
from libc.math cimport fabsf, rintf

from minengine.blocks cimport unpack_fn
from minengine.formats cimport Format
from minengine.sums cimport CHUNK
from minengine.threads cimport team

cdef enum:
    GROUP = 16   # elements under one scale, of the weights and of the activations
    TILE = 16    # tokens for which a chunk of weights is unpacked once
    GROUPS = 16  # of a chunk


class Activations:
    """Rows x (T, n) as codes int16 (T, n), scales float32 (T, n / 16), sums int32 (T, n / 16)."""

    def __init__(self, x):
        n_tokens, n = x.shape
        if n % GROUP:
            raise ValueError(f"activations: rows of {n}, want a multiple of {GROUP}")
        self.codes = np.empty((n_tokens, n), np.int16)
        self.scales = np.empty((n_tokens, n // GROUP), np.float32)
        self.sums = np.empty((n_tokens, n // GROUP), np.int32)
        quantize(x, self.codes, self.scales, self.sums)


def quantize(
    const float[:, ::1] x,       # IN (T, n)
    short[:, ::1] codes,   # OUT (T, n)
    float[:, ::1] scales,        # OUT (T, n / 16)
    int[:, ::1] sums,            # OUT (T, n / 16)
):
    """Codes ``round(x / d)`` with d = max |x| / 127 over 16, ties to even; 0 where max |x| is below
    127 / FLT_MAX = 3.7e-37; NaN scales where x has NaN or infinity.
    """
    cdef Py_ssize_t t, n_tokens = x.shape[0], n = x.shape[1]
    if codes.shape[0] != n_tokens or codes.shape[1] != n or n % GROUP:
        raise ValueError(f"quantize: codes ({codes.shape[0]}, {codes.shape[1]}) for x ({n_tokens}, {n})")
    if scales.shape[0] != n_tokens or scales.shape[1] != n // GROUP:
        raise ValueError(f"quantize: {scales.shape[1]} scales, want {n // GROUP}")
    if sums.shape[0] != n_tokens or sums.shape[1] != n // GROUP:
        raise ValueError(f"quantize: {sums.shape[1]} sums, want {n // GROUP}")
    if n == 0:
        return
    with nogil:
        for t in range(n_tokens):
            quantize_row(&x[t, 0], &codes[t, 0], &scales[t, 0], &sums[t, 0], n)


cdef void quantize_row(
    const float* x, short* codes, float* scales, int* sums, Py_ssize_t n
) noexcept nogil:
    cdef float largest, rest, inverse
    cdef Py_ssize_t i, j
    cdef int total
    for i in range(n // GROUP):
        largest = rest = 0
        for j in range(GROUP):
            largest = max(largest, fabsf(x[i * GROUP + j]))
            rest += x[i * GROUP + j] * 0  # NaN where one is NaN or infinite
        scales[i] = largest / 127 + rest
        # below 4e-37 its inverse is no float any more, and what is so small is 0
        inverse = 127 / largest if largest > 127 / FLT_MAX and rest == 0 else 0
        for j in range(GROUP):
            codes[i * GROUP + j] = <short>rintf(x[i * GROUP + j] * inverse) if inverse != 0 else 0
        total = 0
        for j in range(GROUP):
            total += codes[i * GROUP + j]
        sums[i] = total


cdef inline float dot_codes(
    const short* q,              # IN (n,)
    const float* scale,          # IN (n / 16,)
    const float* low,            # IN (n / 16,)
    const short* codes,          # IN (n,)
    const float* scales,         # IN (n / 16,)
    const int* sums,             # IN (n / 16,)
    Py_ssize_t n,
) noexcept nogil:
    """One chunk of a row: n elements, at most CHUNK."""
    cdef float total = 0
    cdef int products
    cdef Py_ssize_t g, k
    for g in range(n // GROUP):
        products = 0
        for k in range(GROUP):
            products += <int>q[g * GROUP + k] * <int>codes[g * GROUP + k]
        total += scales[g] * (scale[g] * products + low[g] * sums[g])
    return total


cdef void row_times(
    const unsigned char* row,    # IN (row_bytes,)
    unpack_fn unpack,
    Py_ssize_t chunk_bytes,      # bytes of CHUNK elements
    const short* codes,          # IN (T, n)
    const float* scales,         # IN (T, n / 16)
    const int* sums,             # IN (T, n / 16)
    Py_ssize_t n_tokens,         # up to TILE
    Py_ssize_t n,
    float* out,                  # OUT (T,), one every `stride` floats
    Py_ssize_t stride,
) noexcept nogil:
    """out[t] = row . activations[t], each chunk of the row unpacked once for all tokens."""
    cdef short q[CHUNK]
    cdef float scale[GROUPS]
    cdef float low[GROUPS]
    cdef Py_ssize_t i = 0, m, t
    for t in range(n_tokens):
        out[t * stride] = 0
    while i < n:
        m = min(n - i, <Py_ssize_t>CHUNK)
        unpack(row, m, q, scale, low)
        for t in range(n_tokens):
            out[t * stride] += dot_codes(
                q, scale, low, codes + t * n + i, scales + t * (n // GROUP) + i // GROUP,
                sums + t * (n // GROUP) + i // GROUP, m,
            )
        row += chunk_bytes
        i += CHUNK


def matmul(
    const short[:, ::1] codes,      # IN (T, n)
    const float[:, ::1] scales,           # IN (T, n / 16)
    const int[:, ::1] sums,               # IN (T, n / 16)
    const unsigned char[:, ::1] weight,   # IN (R, row_bytes)
    Format format,
    float[:, ::1] out,                    # OUT (T, R)
    *,
    int n_threads=1,
):
    """``out[t, r] = sum_i weight[r, i] x[t, i]`` with x as `quantize` rounded it.

    ValueError where shapes differ or the format has no codes. Parallel over the rows of the weight.
    """
    cdef Py_ssize_t n_tokens = codes.shape[0], n = codes.shape[1], n_rows = weight.shape[0]
    cdef Py_ssize_t n_tiles = (n_tokens + TILE - 1) // TILE
    cdef Py_ssize_t job, r, t, row_bytes = weight.shape[1], chunk_bytes
    cdef unpack_fn unpack = format.unpack
    if unpack == NULL:
        raise ValueError(f"integer.matmul: {format.name} has no codes")
    if row_bytes != format.row_bytes(n):
        raise ValueError(f"integer.matmul: {row_bytes} bytes a row, want {format.row_bytes(n)}")
    if out.shape[0] != n_tokens or out.shape[1] != n_rows:
        raise ValueError(
            f"integer.matmul: out ({out.shape[0]}, {out.shape[1]}), want ({n_tokens}, {n_rows})"
        )
    if scales.shape[0] != n_tokens or scales.shape[1] != n // GROUP:
        raise ValueError(f"integer.matmul: {scales.shape[1]} scales, want {n // GROUP}")
    if sums.shape[0] != n_tokens or sums.shape[1] != n // GROUP:
        raise ValueError(f"integer.matmul: {sums.shape[1]} sums, want {n // GROUP}")
    if n_threads < 1:
        raise ValueError(f"integer.matmul: n_threads {n_threads}, want at least 1")
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
            t = job // n_rows * TILE
            row_times(
                &weight[r, 0], unpack, chunk_bytes, &codes[t, 0], &scales[t, 0], &sums[t, 0],
                min(n_tokens - t, <Py_ssize_t>TILE), n, &out[t, r], n_rows,
            )
