"""Weight formats: what the bytes of a block mean, how to make them, and their dot product.

Owns: for each format `dequantize`, `quantize` and `dot`, and the table FORMATS that binds them to a
name and a GGUF type id. Must not know: files, tensor names, threads. Read before: `formats.pxd`
(the layouts), `sums.pxd` (the order in which floats are added).

Two promises, kept by every row of the table and tested for each:
- `dequantize` gives the same bits as the ecosystem's reference (`gguf.quants.dequantize`);
- `dot(row, x)` gives the same bits as dequantizing the row and adding the products in the order of
  `sums.dot`.
  So a token's result does not depend on whether it was computed alone or in a batch.

Adding a format: a struct in `formats.pxd`, the three functions, a row of FORMATS.
"""

import numpy as np

from libc.math cimport fabsf, roundf, sqrtf, truncf
from libc.string cimport memcpy, memset

from minengine.sums cimport CHUNK, dot_chunk


# Half precision -----------------------------------------------------------------------------------

cdef union FloatBits:
    unsigned int u
    float f


cdef inline float half_to_float(unsigned short h) noexcept nogil:
    """The float32 with the value of the 16 bits of a half; exact, infinities and NaN included."""
    cdef FloatBits subnormal, v
    cdef unsigned int magnitude = h & 0x7FFF
    # masks instead of branches, so that a loop over halves is a vector loop; a subnormal is made
    # from the integer fraction, so that no slow float32 subnormal appears
    cdef unsigned int is_subnormal = -<unsigned int>(magnitude < 0x400)
    cdef unsigned int is_infinite = -<unsigned int>(magnitude >= 0x7C00)
    subnormal.f = <float><int>magnitude * <float>5.9604644775390625e-8  # 2^-24
    v.u = (magnitude << 13) + (112 << 23) | is_infinite & 0x7F800000  # exponent bias 15 -> 127
    v.u = subnormal.u & is_subnormal | v.u & ~is_subnormal | <unsigned int>(h & 0x8000) << 16
    return v.f


cdef inline unsigned short float_to_half(float x) noexcept nogil:
    """The nearest half, ties to even; above 65504 + half a step infinity; a NaN stays a NaN."""
    cdef FloatBits v
    cdef unsigned int sign, magnitude, shift, fraction, rest
    v.f = x
    sign = (v.u >> 16) & 0x8000
    magnitude = v.u & 0x7FFFFFFF
    if magnitude > 0x7F800000:
        return <unsigned short>(sign | 0x7E00 | (magnitude >> 13 & 0x3FF))
    if magnitude >= 0x477FF000:  # 65520: the first value that rounds up to 2^16
        return <unsigned short>(sign | 0x7C00)
    if magnitude >= 0x38800000:  # 2^-14: normal; rounding may carry into the exponent, rightly
        magnitude += 0xFFF + (magnitude >> 13 & 1)
        return <unsigned short>(sign | (magnitude - 0x38000000) >> 13)
    if magnitude < 0x33000000:  # below 2^-25, half of the smallest subnormal
        return <unsigned short>sign
    shift = 126 - (magnitude >> 23)  # 14 .. 24 bits of the 24-bit fraction fall away
    fraction = magnitude & 0x7FFFFF | 0x800000
    rest = fraction & ((<unsigned int>1 << shift) - 1)
    fraction >>= shift
    if rest > (<unsigned int>1 << (shift - 1)) or (
        rest == (<unsigned int>1 << (shift - 1)) and fraction & 1
    ):
        fraction += 1
    return <unsigned short>(sign | fraction)


cdef inline int to_int(float x) noexcept nogil:
    """The integer part of x; 0 for NaN and for what no int holds, which C leaves undefined."""
    return <int>x if fabsf(x) < 1e9 else 0


# The dot product ---------------------------------------------------------------------------------

cdef inline float dot_chunks(
    dequantize_fn dequantize,    # a constant in every caller, so the compiler builds it in
    const void* blocks,          # IN (row_bytes,)
    Py_ssize_t chunk_bytes,      # bytes of CHUNK elements
    const float* x,              # IN (n,)
    Py_ssize_t n,
) noexcept nogil:
    """sum_i w_i x_i, the weights dequantized a chunk at a time into the first-level cache."""
    cdef float w[CHUNK]
    cdef float total = 0
    cdef const unsigned char* row = <const unsigned char*>blocks
    cdef Py_ssize_t i = 0, m
    while i < n:
        m = min(n - i, <Py_ssize_t>CHUNK)
        dequantize(row, w, m)
        total += dot_chunk(w, x + i, m)
        row += chunk_bytes
        i += CHUNK
    return total


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
    for i in range(n):
        y[i] = half_to_float(b[i].x)


cdef void quantize_f16(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    cdef BlockF16* b = <BlockF16*>blocks
    cdef Py_ssize_t i
    for i in range(n):
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


# Q4_K: 256 elements, eight scales and minima of 6 bits --------------------------------------------

cdef inline void scale_min(
    const unsigned char* s, Py_ssize_t j, int* scale, int* minimum
) noexcept nogil:
    """Scale and minimum of sub-block j from the 12 bytes.

    Bytes 0-3 hold scales 0-3 and bytes 4-7 minima 0-3 in their low 6 bits. Scales and minima 4-7
    have their low 4 bits in bytes 8-11 (scale low nibble, minimum high) and their high 2 bits atop
    bytes 0-3 and 4-7.
    """
    if j < 4:
        scale[0] = s[j] & 63
        minimum[0] = s[j + 4] & 63
    else:
        scale[0] = s[j + 4] & 15 | s[j - 4] >> 6 << 4
        minimum[0] = s[j + 4] >> 4 | s[j] >> 6 << 4


cdef void dequantize_q4_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) q - (dmin m): both products are exact in float32, so one rounding is left."""
    cdef const BlockQ4_K* b = <const BlockQ4_K*>blocks
    cdef int scale = 0, minimum = 0
    cdef float d, dmin, low_d, low_m, high_d, high_m
    cdef Py_ssize_t i, pair, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        dmin = half_to_float(b[i].dmin)
        for pair in range(4):
            scale_min(b[i].s, 2 * pair, &scale, &minimum)
            low_d = d * scale
            low_m = dmin * minimum
            scale_min(b[i].s, 2 * pair + 1, &scale, &minimum)
            high_d = d * scale
            high_m = dmin * minimum
            for j in range(32):
                y[j] = low_d * <float>(b[i].q[pair * 32 + j] & 15) - low_m
            for j in range(32):
                y[32 + j] = high_d * <float>(b[i].q[pair * 32 + j] >> 4) - high_m
            y += 64


cdef void fit_scale_min(
    const float* x, float* scale, float* minimum, unsigned char* q, unsigned char* trial
) noexcept nogil:
    """The scale and minimum, both >= 0, for which x ~ scale q - minimum, q in 0..15, fits best.

    Over 32 elements. Each candidate scale rounds x to levels; for fixed levels the best scale and
    minimum solve two linear equations. Errors are weighted by |x| + rms(x), since large weights
    matter more to the product.
    """
    cdef float low = min(x[0], <float>0), high = x[0], squares = 0, rms, w, inverse, error
    cdef float best = 3.4e38, sw = 0, sx = 0, sq, sqq, sqx, determinant, a, m, difference
    cdef Py_ssize_t i, step
    cdef int level
    for i in range(32):
        low = min(low, x[i])
        high = max(high, x[i])
        squares += x[i] * x[i]
    scale[0] = 0
    minimum[0] = -low
    memset(q, 0, 32)
    if not high > low:
        return
    rms = sqrtf(squares / 32)
    for i in range(32):
        sw += rms + fabsf(x[i])
        sx += (rms + fabsf(x[i])) * x[i]
    for step in range(-1, 21):  # -1: the spread in 15 steps; 0 .. 20: in 14 to 16
        inverse = (15 if step < 0 else 14 + <float>0.1 * step) / (high - low)
        sq = sqq = sqx = 0
        for i in range(32):
            w = rms + fabsf(x[i])
            level = min(max(to_int(roundf(inverse * (x[i] - low))), 0), 15)
            trial[i] = <unsigned char>level
            sq += w * level
            sqq += w * level * level
            sqx += w * level * x[i]
        determinant = sw * sqq - sq * sq
        if not determinant > 0:
            continue
        a = (sw * sqx - sx * sq) / determinant
        m = (sqq * sx - sq * sqx) / determinant
        if m > 0:  # the minimum is stored as a magnitude to subtract
            m = 0
            a = sqx / sqq
        error = 0
        for i in range(32):
            difference = a * trial[i] + m - x[i]
            error += (rms + fabsf(x[i])) * difference * difference
        if error < best and a > 0:
            best = error
            scale[0] = a
            minimum[0] = -m
            low = m  # further spreads start from the better minimum
            memcpy(q, trial, 32)


cdef inline int share(float x, float top) noexcept nogil:
    """x / top in 63rds."""
    return min(max(to_int(roundf(63 * x / top)), 0), 63) if top > 0 else 0


cdef void quantize_q4_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 8 scales and minima, round them to 6 bits, then round x under what was stored."""
    cdef BlockQ4_K* b = <BlockQ4_K*>blocks
    cdef unsigned char q[256]
    cdef unsigned char trial[32]
    cdef float scales[8]
    cdef float minima[8]
    cdef float top_scale, top_minimum, d, m
    cdef int s, t, level
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        top_scale = top_minimum = 0
        for j in range(8):
            fit_scale_min(x + i * 256 + j * 32, &scales[j], &minima[j], q + j * 32, trial)
            top_scale = max(top_scale, scales[j])
            top_minimum = max(top_minimum, minima[j])
        b[i].d = float_to_half(top_scale / 63)
        b[i].dmin = float_to_half(top_minimum / 63)
        memset(b[i].s, 0, 12)
        for j in range(8):
            s = share(scales[j], top_scale)
            t = share(minima[j], top_minimum)
            if j < 4:
                b[i].s[j] |= <unsigned char>s
                b[i].s[j + 4] |= <unsigned char>t
            else:
                b[i].s[j + 4] = <unsigned char>(s & 15 | (t & 15) << 4)
                b[i].s[j - 4] |= <unsigned char>(s >> 4 << 6)
                b[i].s[j] |= <unsigned char>(t >> 4 << 6)
        for j in range(8):
            scale_min(b[i].s, j, &s, &t)
            d = half_to_float(b[i].d) * s
            m = half_to_float(b[i].dmin) * t
            if d == 0:
                continue
            for e in range(32):
                level = to_int(roundf((x[i * 256 + j * 32 + e] + m) / d))
                q[j * 32 + e] = <unsigned char>min(max(level, 0), 15)
        for j in range(4):
            for e in range(32):
                b[i].q[j * 32 + e] = q[j * 64 + e] | <unsigned char>(q[j * 64 + 32 + e] << 4)


cdef float dot_q4_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q4_k, blocks, CHUNK // 256 * sizeof(BlockQ4_K), x, n)


# Q6_K: 256 elements, sixteen scales of 8 bits -----------------------------------------------------

cdef void dequantize_q6_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) (q - 32). In a half of 128, byte l of 32 serves elements l, l+32, l+64 and l+96."""
    cdef const BlockQ6_K* b = <const BlockQ6_K*>blocks
    cdef const unsigned char* ql
    cdef const unsigned char* qh
    cdef float d, scale
    cdef int shift
    cdef Py_ssize_t i, half, part, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        for half in range(2):
            for part in range(8):  # 16 elements under one scale
                ql = b[i].ql + half * 64 + (part & 3) * 16
                qh = b[i].qh + half * 32 + (part & 1) * 16
                shift = <int>(part >> 1) * 2
                scale = d * b[i].s[half * 8 + part]
                if part < 4:
                    for j in range(16):
                        y[j] = scale * <float>(<int>(ql[j] & 15 | (qh[j] >> shift & 3) << 4) - 32)
                else:
                    for j in range(16):
                        y[j] = scale * <float>(<int>(ql[j] >> 4 | (qh[j] >> shift & 3) << 4) - 32)
                y += 16


cdef float fit_scale(const float* x) noexcept nogil:
    """The scale, of either sign, for which x ~ scale q, q in -32..31, fits 16 elements best.

    Errors are weighted by x^2. The element of largest magnitude is put near level -32; spreads
    around that are tried, and for each the scale that fits its levels is a least-squares one.
    """
    cdef float extreme = x[0], inverse, sqx, sqq, w, gain, best = -1, scale = 0
    cdef Py_ssize_t i, step
    cdef int level
    for i in range(1, 16):
        if fabsf(x[i]) > fabsf(extreme):
            extreme = x[i]
    if not fabsf(extreme) > <float>1e-30:
        return 0
    for step in range(-9, 10):
        inverse = -(32 + <float>0.1 * step) / extreme
        sqx = sqq = 0
        for i in range(16):
            level = min(max(to_int(roundf(inverse * x[i])), -32), 31)
            w = x[i] * x[i]
            sqx += w * x[i] * level
            sqq += w * level * level
        if not sqq > 0:
            continue
        gain = sqx * sqx / sqq  # the weighted error is sum(w x^2) - gain
        if gain > best:
            best = gain
            scale = sqx / sqq
    return scale


cdef void quantize_q6_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 16 scales, round them to 8 bits (the largest to -128), then x under what was stored."""
    cdef BlockQ6_K* b = <BlockQ6_K*>blocks
    cdef unsigned char q[256]
    cdef float scales[16]
    cdef float extreme, d
    cdef int level
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        extreme = 0
        for j in range(16):
            scales[j] = fit_scale(x + i * 256 + j * 16)
            if fabsf(scales[j]) > fabsf(extreme):
                extreme = scales[j]
        memset(&b[i], 0, sizeof(BlockQ6_K))
        b[i].d = float_to_half(extreme / -128)
        for j in range(16):
            level = to_int(roundf(-128 * scales[j] / extreme)) if extreme != 0 else 0
            b[i].s[j] = <signed char>min(max(level, -128), 127)
            d = half_to_float(b[i].d) * b[i].s[j]
            for e in range(16):
                level = to_int(roundf(x[i * 256 + j * 16 + e] / d)) if d != 0 else 0
                q[j * 16 + e] = <unsigned char>(min(max(level, -32), 31) + 32)
        for j in range(2):
            for e in range(128):
                b[i].ql[j * 64 + e % 64] |= <unsigned char>((q[j * 128 + e] & 15) << (e // 64 * 4))
                b[i].qh[j * 32 + e % 32] |= <unsigned char>(q[j * 128 + e] >> 4 << (e // 32 * 2))


cdef float dot_q6_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q6_k, blocks, CHUNK // 256 * sizeof(BlockQ6_K), x, n)


# The table ----------------------------------------------------------------------------------------

cdef class Format:
    """One row of FORMATS: a block layout, its name, its GGUF type id and its three functions."""

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
    dequantize_fn to_f32, quantize_fn from_f32, dot_fn dot_f32,
):
    cdef Format f = Format.__new__(Format)
    f.name, f.ggml_id, f.block_size, f.block_bytes = name, ggml_id, block_size, block_bytes
    f.to_f32, f.from_f32, f.dot_f32 = to_f32, from_f32, dot_f32
    return f


FORMATS = {
    "F32": row("F32", 0, 1, sizeof(BlockF32), dequantize_f32, quantize_f32, dot_f32),
    "F16": row("F16", 1, 1, sizeof(BlockF16), dequantize_f16, quantize_f16, dot_f16),
    "BF16": row("BF16", 30, 1, sizeof(BlockBF16), dequantize_bf16, quantize_bf16, dot_bf16),
    "Q8_0": row("Q8_0", 8, 32, sizeof(BlockQ8_0), dequantize_q8_0, quantize_q8_0, dot_q8_0),
    "Q4_0": row("Q4_0", 2, 32, sizeof(BlockQ4_0), dequantize_q4_0, quantize_q4_0, dot_q4_0),
    "Q4_K": row("Q4_K", 12, 256, sizeof(BlockQ4_K), dequantize_q4_k, quantize_q4_k, dot_q4_k),
    "Q6_K": row("Q6_K", 14, 256, sizeof(BlockQ6_K), dequantize_q6_k, quantize_q6_k, dot_q6_k),
}
