"""The K formats: 256 elements under one or two halves, their scales stored as small integers.

Owns: for Q2_K to Q6_K `dequantize`, `quantize` and `dot`, bound to names by FORMATS. Must not know:
files, tensor names, threads. Read before: `blocks.pxd` (the layouts), `formats.pyx` (the promises).

Two families. Q2_K, Q4_K and Q5_K have a scale and a minimum for each sub-block, x = d s q - dmin m
with q from 0 up; Q3_K and Q6_K a scale alone, x = d s q with q of both signs.
"""

from libc.math cimport fabsf, roundf, sqrtf
from libc.string cimport memcpy, memset

from minengine.blocks cimport (
    BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K, dot_chunks, float_to_half,
    half_to_float, to_int,
)
from minengine.sums cimport CHUNK


# Fits: the scales that serve a sub-block best ----------------------------------------------------

cdef void fit_scale_min(
    const float* x,              # IN (size,)
    Py_ssize_t size,             # up to 32
    int top,                     # the highest level
    float* scale,
    float* minimum,
    unsigned char* q,            # OUT (size,)
) noexcept nogil:
    """The scale and minimum, both >= 0, for which x ~ scale q - minimum, q in 0..top, fits best.

    Each candidate scale rounds x to levels; for fixed levels the best scale and minimum solve two
    linear equations. Errors are weighted by |x| + rms(x), since large weights matter more to the
    product.
    """
    cdef unsigned char trial[32]
    cdef float low = min(x[0], <float>0), high = x[0], squares = 0, rms, w, inverse, error
    cdef float best = 3.4e38, sw = 0, sx = 0, sq, sqq, sqx, determinant, a, m, difference
    cdef Py_ssize_t i, step
    cdef int level
    for i in range(size):
        low = min(low, x[i])
        high = max(high, x[i])
        squares += x[i] * x[i]
    scale[0] = 0
    minimum[0] = -low
    memset(q, 0, size)
    if not high > low:
        return
    rms = sqrtf(squares / size)
    for i in range(size):
        sw += rms + fabsf(x[i])
        sx += (rms + fabsf(x[i])) * x[i]
    for step in range(-1, 21):  # -1: the spread in `top` steps; 0 .. 20: in top - 1 to top + 1
        inverse = (top if step < 0 else top - 1 + <float>0.1 * step) / (high - low)
        sq = sqq = sqx = 0
        for i in range(size):
            w = rms + fabsf(x[i])
            level = min(max(to_int(roundf(inverse * (x[i] - low))), 0), top)
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
        for i in range(size):
            difference = a * trial[i] + m - x[i]
            error += (rms + fabsf(x[i])) * difference * difference
        if error < best and a > 0:
            best = error
            scale[0] = a
            minimum[0] = -m
            low = m  # further spreads start from the better minimum
            memcpy(q, trial, size)


cdef float fit_scale(const float* x, int top) noexcept nogil:
    """The scale, of either sign, for which x ~ scale q, q in -top .. top - 1, fits 16 elements best.

    Errors are weighted by x^2. The element of largest magnitude is put near level -top; spreads
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
        inverse = -(top + <float>0.1 * step) / extreme
        sqx = sqq = 0
        for i in range(16):
            level = min(max(to_int(roundf(inverse * x[i])), -top), top - 1)
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


cdef inline int share(float x, float largest, int top) noexcept nogil:
    """x / largest in steps of 1 / top."""
    return min(max(to_int(roundf(top * x / largest)), 0), top) if largest > 0 else 0


cdef inline void relevel(
    const float* x, Py_ssize_t size, float d, float m, int top, unsigned char* q
) noexcept nogil:
    """The levels nearest to x under the scale and minimum as they were stored."""
    cdef Py_ssize_t e
    if d == 0:
        return
    for e in range(size):
        q[e] = <unsigned char>min(max(to_int(roundf((x[e] + m) / d)), 0), top)


# Q2_K: sixteen scales and minima of 4 bits, codes of 2 bits --------------------------------------

cdef void dequantize_q2_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) q - (dmin m): both products are exact in float32, so one rounding is left."""
    cdef const BlockQ2_K* b = <const BlockQ2_K*>blocks
    cdef const unsigned char* q
    cdef float d, dmin, scale, minimum
    cdef int shift
    cdef Py_ssize_t i, part, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        dmin = half_to_float(b[i].dmin)
        for part in range(16):
            q = b[i].q + (part >> 3) * 32 + (part & 1) * 16
            shift = <int>(part >> 1 & 3) * 2
            scale = d * (b[i].s[part] & 15)
            minimum = dmin * (b[i].s[part] >> 4)
            for j in range(16):
                y[j] = scale * <float>(q[j] >> shift & 3) - minimum
            y += 16


cdef void quantize_q2_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 16 scales and minima, round them to 4 bits, then round x under what was stored."""
    cdef BlockQ2_K* b = <BlockQ2_K*>blocks
    cdef unsigned char q[256]
    cdef float scales[16]
    cdef float minima[16]
    cdef float top_scale, top_minimum, d, m
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        top_scale = top_minimum = 0
        for j in range(16):
            fit_scale_min(x + j * 16, 16, 3, &scales[j], &minima[j], q + j * 16)
            top_scale = max(top_scale, scales[j])
            top_minimum = max(top_minimum, minima[j])
        memset(&b[i], 0, sizeof(BlockQ2_K))
        b[i].d = float_to_half(top_scale / 15)
        b[i].dmin = float_to_half(top_minimum / 15)
        for j in range(16):
            b[i].s[j] = <unsigned char>(
                share(scales[j], top_scale, 15) | share(minima[j], top_minimum, 15) << 4
            )
            d = half_to_float(b[i].d) * (b[i].s[j] & 15)
            m = half_to_float(b[i].dmin) * (b[i].s[j] >> 4)
            relevel(x + j * 16, 16, d, m, 3, q + j * 16)
        for e in range(256):
            b[i].q[e // 128 * 32 + e % 32] |= <unsigned char>(q[e] << (e % 128 // 32 * 2))
        x += 256


cdef float dot_q2_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q2_k, blocks, CHUNK // 256 * sizeof(BlockQ2_K), x, n)


# Q3_K: sixteen scales of 6 bits, codes of 3 bits --------------------------------------------------

cdef void dequantize_q3_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) q with q from -4 to 3."""
    cdef const BlockQ3_K* b = <const BlockQ3_K*>blocks
    cdef const unsigned char* q
    cdef const unsigned char* h
    cdef float d, scale
    cdef int shift, bit
    cdef Py_ssize_t i, part, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        for part in range(16):
            q = b[i].q + (part >> 3) * 32 + (part & 1) * 16
            h = b[i].h + (part & 1) * 16
            shift = <int>(part >> 1 & 3) * 2
            bit = <int>(part >> 1)
            scale = d * scale_q3(b[i].s, part)
            for j in range(16):
                y[j] = scale * <float>(<int>(q[j] >> shift & 3 | (h[j] >> bit & 1) << 2) - 4)
            y += 16


cdef void quantize_q3_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 16 scales, round them to 6 bits (the largest to -32), then x under what was stored."""
    cdef BlockQ3_K* b = <BlockQ3_K*>blocks
    cdef unsigned char q[256]
    cdef float scales[16]
    cdef float extreme, d
    cdef int level
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        extreme = 0
        for j in range(16):
            scales[j] = fit_scale(x + j * 16, 4)
            if fabsf(scales[j]) > fabsf(extreme):
                extreme = scales[j]
        memset(&b[i], 0, sizeof(BlockQ3_K))
        b[i].d = float_to_half(extreme / -32)
        for j in range(16):
            level = to_int(roundf(-32 * scales[j] / extreme)) if extreme != 0 else 0
            level = min(max(level, -32), 31) + 32
            b[i].s[j & 7] |= <unsigned char>((level & 15) << (j >> 3) * 4)
            b[i].s[8 + (j & 3)] |= <unsigned char>(level >> 4 << (j >> 2) * 2)
            d = half_to_float(b[i].d) * (level - 32)
            for e in range(16):
                level = to_int(roundf(x[j * 16 + e] / d)) if d != 0 else 0
                q[j * 16 + e] = <unsigned char>(min(max(level, -4), 3) + 4)
        for e in range(256):
            b[i].q[e // 128 * 32 + e % 32] |= <unsigned char>((q[e] & 3) << (e % 128 // 32 * 2))
            b[i].h[e % 32] |= <unsigned char>(q[e] >> 2 << e // 32)
        x += 256


cdef float dot_q3_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q3_k, blocks, CHUNK // 256 * sizeof(BlockQ3_K), x, n)


# Q4_K and Q5_K: eight scales and minima of 6 bits -------------------------------------------------

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


cdef void pack_scales(
    const float* scales, const float* minima, unsigned short* d, unsigned short* dmin,
    unsigned char* s,
) noexcept nogil:
    """Eight fitted scales and minima as halves and 6-bit integers."""
    cdef float top_scale = 0, top_minimum = 0
    cdef int scale, minimum
    cdef Py_ssize_t j
    for j in range(8):
        top_scale = max(top_scale, scales[j])
        top_minimum = max(top_minimum, minima[j])
    d[0] = float_to_half(top_scale / 63)
    dmin[0] = float_to_half(top_minimum / 63)
    memset(s, 0, 12)
    for j in range(8):
        scale = share(scales[j], top_scale, 63)
        minimum = share(minima[j], top_minimum, 63)
        if j < 4:
            s[j] |= <unsigned char>scale
            s[j + 4] |= <unsigned char>minimum
        else:
            s[j + 4] = <unsigned char>(scale & 15 | (minimum & 15) << 4)
            s[j - 4] |= <unsigned char>(scale >> 4 << 6)
            s[j] |= <unsigned char>(minimum >> 4 << 6)


cdef void quantize_q4_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 8 scales and minima, round them to 6 bits, then round x under what was stored."""
    cdef BlockQ4_K* b = <BlockQ4_K*>blocks
    cdef unsigned char q[256]
    cdef float scales[8]
    cdef float minima[8]
    cdef int scale = 0, minimum = 0
    cdef float d, m
    cdef unsigned short halves[2]
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        for j in range(8):
            fit_scale_min(x + j * 32, 32, 15, &scales[j], &minima[j], q + j * 32)
        pack_scales(scales, minima, &halves[0], &halves[1], b[i].s)
        b[i].d, b[i].dmin = halves[0], halves[1]
        for j in range(8):
            scale_min(b[i].s, j, &scale, &minimum)
            d = half_to_float(halves[0]) * scale
            m = half_to_float(halves[1]) * minimum
            relevel(x + j * 32, 32, d, m, 15, q + j * 32)
        for j in range(4):
            for e in range(32):
                b[i].q[j * 32 + e] = q[j * 64 + e] | <unsigned char>(q[j * 64 + 32 + e] << 4)
        x += 256


cdef float dot_q4_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q4_k, blocks, CHUNK // 256 * sizeof(BlockQ4_K), x, n)


cdef void dequantize_q5_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) q - (dmin m), as Q4_K with a fifth bit."""
    cdef const BlockQ5_K* b = <const BlockQ5_K*>blocks
    cdef const unsigned char* q
    cdef int scale = 0, minimum = 0, part
    cdef float d, dmin, low_d, low_m, high_d, high_m
    cdef Py_ssize_t i, pair, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        dmin = half_to_float(b[i].dmin)
        for pair in range(4):
            q = b[i].q + pair * 32
            part = <int>(2 * pair)
            scale_min(b[i].s, part, &scale, &minimum)
            low_d = d * scale
            low_m = dmin * minimum
            scale_min(b[i].s, part + 1, &scale, &minimum)
            high_d = d * scale
            high_m = dmin * minimum
            for j in range(32):
                y[j] = low_d * <float>(q[j] & 15 | (b[i].h[j] >> part & 1) << 4) - low_m
            for j in range(32):
                y[32 + j] = high_d * <float>(q[j] >> 4 | (b[i].h[j] >> part + 1 & 1) << 4) - high_m
            y += 64


cdef void quantize_q5_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """As Q4_K, with 32 levels."""
    cdef BlockQ5_K* b = <BlockQ5_K*>blocks
    cdef unsigned char q[256]
    cdef float scales[8]
    cdef float minima[8]
    cdef int scale = 0, minimum = 0
    cdef float d, m
    cdef unsigned short halves[2]
    cdef Py_ssize_t i, j, e
    for i in range(n // 256):
        for j in range(8):
            fit_scale_min(x + j * 32, 32, 31, &scales[j], &minima[j], q + j * 32)
        pack_scales(scales, minima, &halves[0], &halves[1], b[i].s)
        b[i].d, b[i].dmin = halves[0], halves[1]
        memset(b[i].h, 0, 32)
        for j in range(8):
            scale_min(b[i].s, j, &scale, &minimum)
            d = half_to_float(halves[0]) * scale
            m = half_to_float(halves[1]) * minimum
            relevel(x + j * 32, 32, d, m, 31, q + j * 32)
            for e in range(32):
                b[i].h[e] |= <unsigned char>(q[j * 32 + e] >> 4 << j)
        for j in range(4):
            for e in range(32):
                b[i].q[j * 32 + e] = <unsigned char>(
                    q[j * 64 + e] & 15 | (q[j * 64 + 32 + e] & 15) << 4
                )
        x += 256


cdef float dot_q5_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_q5_k, blocks, CHUNK // 256 * sizeof(BlockQ5_K), x, n)


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
            scales[j] = fit_scale(x + i * 256 + j * 16, 32)
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
