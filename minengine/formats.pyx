"""Weight formats: what the bytes of a block mean, how to make them, and their dot product.

Owns: the table FORMATS, which binds for each format `dequantize`, `quantize` and `dot` to a name and
a GGUF type id, and these functions of the simple formats (`kquants.pyx` and `codebooks.pyx` have the
others). Must not know: files, tensor names, threads. Read before: `blocks.pxd` (the layouts),
`sums.pxd` (the order in which floats are added).

Two promises, kept by every row of the table and tested for each:
- `dequantize` gives the same bits as the ecosystem's reference (`gguf.quants.dequantize`);
- `dot(row, x)` gives the same bits as dequantizing the row and adding the products in the order of
  `sums.dot`.
  So a token's result does not depend on whether it was computed alone or in a batch.

Adding a format: a struct in `blocks.pxd`, the three functions, a row of FORMATS.
"""

import numpy as np

from libc.math cimport fabsf, roundf, truncf
from libc.string cimport memcpy, memset

from minengine.blocks cimport (
    BlockBF16, BlockF16, BlockF32, BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockQ2_K, BlockQ3_K,
    BlockQ4_0, BlockQ4_1, BlockQ4_K, BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0,
    BlockTQ1_0, BlockTQ2_0, FloatBits, dequantize_fn, dot_chunks, dot_fn, fifth_bits, float_to_half,
    half_to_float, quantize_fn, to_int, unpack_fn,
)
from minengine.codebooks cimport (
    dequantize_iq4_nl, dequantize_iq4_xs, dequantize_mxfp4, dequantize_tq1_0, dequantize_tq2_0,
    dot_iq4_nl, dot_iq4_xs, dot_mxfp4, dot_tq1_0, dot_tq2_0, quantize_iq4_nl, quantize_iq4_xs,
    quantize_mxfp4, quantize_tq1_0, quantize_tq2_0,
)
from minengine.codes cimport (
    unpack_iq4_nl, unpack_iq4_xs, unpack_mxfp4, unpack_q2_k, unpack_q3_k, unpack_q4_0, unpack_q4_1,
    unpack_q4_k, unpack_q5_0, unpack_q5_1, unpack_q5_k, unpack_q6_k, unpack_q8_0, unpack_tq1_0,
    unpack_tq2_0,
)
from minengine.kquants cimport (
    dequantize_q2_k, dequantize_q3_k, dequantize_q4_k, dequantize_q5_k, dequantize_q6_k, dot_q2_k,
    dot_q3_k, dot_q4_k, dot_q5_k, dot_q6_k, quantize_q2_k, quantize_q3_k, quantize_q4_k,
    quantize_q5_k, quantize_q6_k,
)
from minengine.sums cimport CHUNK

cdef extern from "simd/halves.h" nogil:
    Py_ssize_t halves_to_floats(const void* halves, float* y, Py_ssize_t n)
    Py_ssize_t floats_to_halves(const float* x, void* halves, Py_ssize_t n)


# F32, F16, BF16: one element a block --------------------------------------------------------------

cdef void dequantize_f32(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    memcpy(y, blocks, n * sizeof(float))


cdef void quantize_f32(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    memcpy(blocks, x, n * sizeof(float))


cdef float dot_f32(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_f32, blocks, CHUNK * sizeof(BlockF32), x, n)


cdef void dequantize_f16(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    cdef const BlockF16* b = <const BlockF16*>blocks
    cdef Py_ssize_t i
    for i in range(halves_to_floats(blocks, y, n), n):
        y[i] = half_to_float(b[i].x)


cdef void quantize_f16(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    cdef BlockF16* b = <BlockF16*>blocks
    cdef Py_ssize_t i
    for i in range(floats_to_halves(x, blocks, n), n):
        b[i].x = float_to_half(x[i])


cdef float dot_f16(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_f16, blocks, CHUNK * sizeof(BlockF16), x, n)


cdef void dequantize_bf16(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    cdef const BlockBF16* b = <const BlockBF16*>blocks
    cdef FloatBits v
    cdef Py_ssize_t i
    for i in range(n):
        v.u = <unsigned int>b[i].x << 16
        y[i] = v.f


cdef void quantize_bf16(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    cdef BlockBF16* b = <BlockBF16*>blocks
    cdef FloatBits v
    cdef Py_ssize_t i
    for i in range(n):
        v.f = x[i]
        if v.u & 0x7FFFFFFF > 0x7F800000:
            b[i].x = <unsigned short>(v.u >> 16 | 64)  # a NaN must not round to infinity
        else:
            b[i].x = <unsigned short>((v.u + (0x7FFF + (v.u >> 16 & 1))) >> 16)  # ties to even


cdef float dot_bf16(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_bf16, blocks, CHUNK * sizeof(BlockBF16), x, n)


# Q8_0 and Q4_0: blocks of 32 with one scale -------------------------------------------------------

cdef void dequantize_q8_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d q."""
    cdef const BlockQ8_0* b = <const BlockQ8_0*>blocks
    cdef float d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        for j in range(32):
            y[i * 32 + j] = <float>b[i].q[j] * d


cdef void quantize_q8_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """d = max |x| / 127, q = round(x / d), ties away from zero; d becomes a half when stored."""
    cdef BlockQ8_0* b = <BlockQ8_0*>blocks
    cdef float largest, d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        largest = 0
        for j in range(32):
            largest = max(largest, fabsf(x[i * 32 + j]))
        d = largest / 127
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        for j in range(32):
            b[i].q[j] = <signed char>to_int(roundf(x[i * 32 + j] * inverse))


cdef float dot_q8_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q8_0, blocks, CHUNK // 32 * sizeof(BlockQ8_0), x, n)


cdef void dequantize_q4_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d (q - 8). Low and high nibbles in two loops, each a plain vector loop."""
    cdef const BlockQ4_0* b = <const BlockQ4_0*>blocks
    cdef float d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        for j in range(16):
            y[i * 32 + j] = d * <float>(<int>(b[i].q[j] & 15) - 8)
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>(<int>(b[i].q[j] >> 4) - 8)


cdef inline int level_q4_0(float x, float inverse) noexcept nogil:
    return min(max(to_int(truncf(x * inverse + <float>8.5)), 0), 15)


cdef void quantize_q4_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """d = (the x of largest magnitude) / -8, so that it becomes level 0; q = floor(x / d + 8.5)."""
    cdef BlockQ4_0* b = <BlockQ4_0*>blocks
    cdef const float* row
    cdef float extreme, d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        row = x + i * 32
        extreme = row[0]
        for j in range(1, 32):
            if fabsf(row[j]) > fabsf(extreme):
                extreme = row[j]
        d = extreme / -8
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        for j in range(16):
            b[i].q[j] = <unsigned char>(
                level_q4_0(row[j], inverse) | level_q4_0(row[j + 16], inverse) << 4
            )


cdef float dot_q4_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q4_0, blocks, CHUNK // 32 * sizeof(BlockQ4_0), x, n)


# Q4_1, Q5_0, Q5_1: a minimum, a fifth bit, both -------------------------------------------------------

cdef void dequantize_q4_1(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d q + m."""
    cdef const BlockQ4_1* b = <const BlockQ4_1*>blocks
    cdef float d, m
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        m = half_to_float(b[i].m)
        for j in range(16):
            y[i * 32 + j] = d * <float>(b[i].q[j] & 15) + m
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>(b[i].q[j] >> 4) + m


cdef inline float spread(const float* x, float* low) noexcept nogil:
    """The largest of 32 numbers less the smallest, which goes to low."""
    cdef float high = x[0]
    cdef Py_ssize_t j
    low[0] = x[0]
    for j in range(1, 32):
        low[0] = min(low[0], x[j])
        high = max(high, x[j])
    return high - low[0]


cdef inline int level_above(float x, float low, float inverse, int top) noexcept nogil:
    return min(max(to_int(truncf((x - low) * inverse + <float>0.5)), 0), top)


cdef void quantize_q4_1(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """m = min x, d = (max x - m) / 15, q = floor((x - m) / d + 0.5)."""
    cdef BlockQ4_1* b = <BlockQ4_1*>blocks
    cdef const float* row
    cdef float low = 0, d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        row = x + i * 32
        d = spread(row, &low) / 15
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        b[i].m = float_to_half(low)
        for j in range(16):
            b[i].q[j] = <unsigned char>(
                level_above(row[j], low, inverse, 15) | level_above(row[j + 16], low, inverse, 15) << 4
            )


cdef float dot_q4_1(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q4_1, blocks, CHUNK // 32 * sizeof(BlockQ4_1), x, n)


cdef void dequantize_q5_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d (q - 16)."""
    cdef const BlockQ5_0* b = <const BlockQ5_0*>blocks
    cdef unsigned char bit[32]
    cdef float d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        fifth_bits(b[i].h, bit)
        for j in range(16):
            y[i * 32 + j] = d * <float>(<int>(b[i].q[j] & 15 | bit[j]) - 16)
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>(<int>(b[i].q[j] >> 4 | bit[16 + j]) - 16)


cdef inline void pack_five(const unsigned char* level, unsigned char* h, unsigned char* q) noexcept nogil:
    """32 levels of five bits as 16 bytes of nibbles and 4 of fifth bits."""
    cdef Py_ssize_t j
    memset(h, 0, 4)
    for j in range(16):
        q[j] = <unsigned char>(level[j] & 15 | (level[j + 16] & 15) << 4)
    for j in range(32):
        h[j >> 3] |= <unsigned char>(level[j] >> 4 << (j & 7))


cdef void quantize_q5_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """d = (the x of largest magnitude) / -16, so that it becomes level 0; q = floor(x / d + 16.5)."""
    cdef BlockQ5_0* b = <BlockQ5_0*>blocks
    cdef unsigned char level[32]
    cdef const float* row
    cdef float extreme, d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        row = x + i * 32
        extreme = row[0]
        for j in range(1, 32):
            if fabsf(row[j]) > fabsf(extreme):
                extreme = row[j]
        d = extreme / -16
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        for j in range(32):
            level[j] = <unsigned char>min(
                max(to_int(truncf(row[j] * inverse + <float>16.5)), 0), 31
            )
        pack_five(level, b[i].h, b[i].q)


cdef float dot_q5_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q5_0, blocks, CHUNK // 32 * sizeof(BlockQ5_0), x, n)


cdef void dequantize_q5_1(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d q + m."""
    cdef const BlockQ5_1* b = <const BlockQ5_1*>blocks
    cdef unsigned char bit[32]
    cdef float d, m
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        m = half_to_float(b[i].m)
        fifth_bits(b[i].h, bit)
        for j in range(16):
            y[i * 32 + j] = d * <float>(b[i].q[j] & 15 | bit[j]) + m
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>(b[i].q[j] >> 4 | bit[16 + j]) + m


cdef void quantize_q5_1(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """m = min x, d = (max x - m) / 31, q = floor((x - m) / d + 0.5)."""
    cdef BlockQ5_1* b = <BlockQ5_1*>blocks
    cdef unsigned char level[32]
    cdef const float* row
    cdef float low = 0, d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        row = x + i * 32
        d = spread(row, &low) / 31
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        b[i].m = float_to_half(low)
        for j in range(32):
            level[j] = <unsigned char>level_above(row[j], low, inverse, 31)
        pack_five(level, b[i].h, b[i].q)


cdef float dot_q5_1(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q5_1, blocks, CHUNK // 32 * sizeof(BlockQ5_1), x, n)


# The table ----------------------------------------------------------------------------------------

cdef class Format:
    """One row of FORMATS: a block layout, its name, its GGUF type id and its functions."""

    @property
    def has_codes(self):
        """Is there an integer product for it (fast mode)?"""
        return self.unpack != NULL

    def __repr__(self):
        return f"Format({self.name}: {self.block_bytes} bytes for {self.block_size} elements)"

    def __reduce__(self):
        return _by_name, (self.name,)

    def row_bytes(self, Py_ssize_t n):
        """Bytes of a row of n elements. ValueError where n is not a whole number of blocks."""
        if n < 0 or n % self.block_size:
            raise ValueError(f"{self.name}: rows of {n}, want a multiple of {self.block_size}")
        return n // self.block_size * self.block_bytes

    def row_elements(self, Py_ssize_t n_bytes):
        """Elements of a row of n_bytes. ValueError where that is not a whole number of blocks."""
        if n_bytes < 0 or n_bytes % self.block_bytes:
            raise ValueError(
                f"{self.name}: rows of {n_bytes} bytes, want a multiple of {self.block_bytes}"
            )
        return n_bytes // self.block_bytes * self.block_size

    def dequantize(self, raw):
        """The values of raw blocks: uint8 (..., row_bytes) -> float32 (..., n)."""
        raw = np.ascontiguousarray(raw)
        if raw.dtype != np.uint8 or raw.ndim == 0:
            raise ValueError(f"{self.name}: {raw.ndim}-d {raw.dtype}, want rows of uint8")
        *rows, n_bytes = raw.shape
        out = np.empty((*rows, self.row_elements(n_bytes)), np.float32)
        cdef const unsigned char[::1] source = raw.reshape(-1)
        cdef float[::1] target = out.reshape(-1)
        if target.shape[0]:
            with nogil:
                self.to_f32(&source[0], &target[0], target.shape[0])
        return out

    def quantize(self, x):
        """Blocks that stand for x: float (..., n) -> uint8 (..., row_bytes), n in whole blocks."""
        x = np.ascontiguousarray(x, np.float32)
        if x.ndim == 0:
            raise ValueError(f"{self.name}: a scalar, want rows of numbers")
        *rows, n = x.shape
        out = np.empty((*rows, self.row_bytes(n)), np.uint8)
        cdef const float[::1] source = x.reshape(-1)
        cdef unsigned char[::1] target = out.reshape(-1)
        if source.shape[0]:
            with nogil:
                self.from_f32(&source[0], &target[0], source.shape[0])
        return out

    def dot(self, const unsigned char[::1] raw, const float[::1] x):
        """``sum_i dequantize(raw)_i x_i``, in the order of `sums.dot`: (row_bytes,), (n,)."""
        cdef float total = 0
        if self.row_elements(raw.shape[0]) != x.shape[0]:
            raise ValueError(
                f"{self.name}: {self.row_elements(raw.shape[0])} weights, {x.shape[0]} in x"
            )
        if x.shape[0]:
            with nogil:
                total = self.dot_f32(&raw[0], &x[0], x.shape[0])
        return total


def _by_name(name):
    return FORMATS[name]


cdef Format row(
    str name, int ggml_id, int block_size, int block_bytes,
    dequantize_fn to_f32, quantize_fn from_f32, dot_fn dot_f32, unpack_fn unpack=NULL, bint fine=False,
):
    cdef Format f = Format.__new__(Format)
    f.name, f.ggml_id, f.block_size, f.block_bytes = name, ggml_id, block_size, block_bytes
    f.to_f32, f.from_f32, f.dot_f32, f.unpack, f.fine = to_f32, from_f32, dot_f32, unpack, fine
    return f


FORMATS = {
    "F32": row("F32", 0, 1, sizeof(BlockF32), dequantize_f32, quantize_f32, dot_f32),
    "F16": row("F16", 1, 1, sizeof(BlockF16), dequantize_f16, quantize_f16, dot_f16),
    "BF16": row("BF16", 30, 1, sizeof(BlockBF16), dequantize_bf16, quantize_bf16, dot_bf16),
    "Q8_0": row(
        "Q8_0", 8, 32, sizeof(BlockQ8_0), dequantize_q8_0, quantize_q8_0, dot_q8_0, unpack_q8_0,
    ),
    "Q4_0": row(
        "Q4_0", 2, 32, sizeof(BlockQ4_0), dequantize_q4_0, quantize_q4_0, dot_q4_0, unpack_q4_0,
    ),
    "Q4_1": row(
        "Q4_1", 3, 32, sizeof(BlockQ4_1), dequantize_q4_1, quantize_q4_1, dot_q4_1, unpack_q4_1,
    ),
    "Q5_0": row(
        "Q5_0", 6, 32, sizeof(BlockQ5_0), dequantize_q5_0, quantize_q5_0, dot_q5_0, unpack_q5_0,
    ),
    "Q5_1": row(
        "Q5_1", 7, 32, sizeof(BlockQ5_1), dequantize_q5_1, quantize_q5_1, dot_q5_1, unpack_q5_1,
    ),
    "Q2_K": row(
        "Q2_K", 10, 256, sizeof(BlockQ2_K), dequantize_q2_k, quantize_q2_k, dot_q2_k, unpack_q2_k,
        fine=True,
    ),
    "Q3_K": row(
        "Q3_K", 11, 256, sizeof(BlockQ3_K), dequantize_q3_k, quantize_q3_k, dot_q3_k, unpack_q3_k,
        fine=True,
    ),
    "Q4_K": row(
        "Q4_K", 12, 256, sizeof(BlockQ4_K), dequantize_q4_k, quantize_q4_k, dot_q4_k, unpack_q4_k,
    ),
    "Q5_K": row(
        "Q5_K", 13, 256, sizeof(BlockQ5_K), dequantize_q5_k, quantize_q5_k, dot_q5_k, unpack_q5_k,
    ),
    "Q6_K": row(
        "Q6_K", 14, 256, sizeof(BlockQ6_K), dequantize_q6_k, quantize_q6_k, dot_q6_k, unpack_q6_k,
        fine=True,
    ),
    "IQ4_NL": row(
        "IQ4_NL", 20, 32, sizeof(BlockIQ4_NL), dequantize_iq4_nl, quantize_iq4_nl, dot_iq4_nl, unpack_iq4_nl,
    ),
    "IQ4_XS": row(
        "IQ4_XS", 23, 256, sizeof(BlockIQ4_XS), dequantize_iq4_xs, quantize_iq4_xs, dot_iq4_xs, unpack_iq4_xs,
    ),
    "TQ1_0": row(
        "TQ1_0", 34, 256, sizeof(BlockTQ1_0), dequantize_tq1_0, quantize_tq1_0, dot_tq1_0, unpack_tq1_0,
    ),
    "TQ2_0": row(
        "TQ2_0", 35, 256, sizeof(BlockTQ2_0), dequantize_tq2_0, quantize_tq2_0, dot_tq2_0, unpack_tq2_0,
    ),
    "MXFP4": row(
        "MXFP4", 39, 32, sizeof(BlockMXFP4), dequantize_mxfp4, quantize_mxfp4, dot_mxfp4, unpack_mxfp4,
    ),
}
