"""Formats whose codes are looked up: IQ4_NL, IQ4_XS and MXFP4, and the ternary TQ1_0 and TQ2_0.

Owns: for each of them `dequantize`, `quantize` and `dot`, bound to names by FORMATS. Must not know:
files, tensor names, threads. Read before: `blocks.pxd` (the layouts), `formats.pyx` (the promises).
"""

from libc.math cimport fabsf, floorf, log2f, roundf
from libc.string cimport memset

from minengine.blocks cimport (
    BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockTQ1_0, BlockTQ2_0, dot_chunks,
    float_to_half, half_to_float, to_int,
)
from minengine.sums cimport CHUNK


# IQ4_NL and IQ4_XS: four bits into a table that is denser near zero -------------------------------

cdef void dequantize_iq4_nl(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d level[q]."""
    cdef const BlockIQ4_NL* b = <const BlockIQ4_NL*>blocks
    cdef float d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = half_to_float(b[i].d)
        for j in range(16):
            y[i * 32 + j] = d * <float>nl_level(b[i].q[j] & 15)
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>nl_level(b[i].q[j] >> 4)


cdef inline int nearest_nl(float x) noexcept nogil:
    """The code of the level nearest to x, by halves of the table; the higher one on ties."""
    cdef int low = 0, high = 15, middle
    while low < high:
        middle = (low + high) >> 1
        if x < <float>0.5 * (nl_level(middle) + nl_level(middle + 1)):
            high = middle
        else:
            low = middle + 1
    return low


cdef float fit_nl(const float* x) noexcept nogil:
    """The scale, of either sign, for which x ~ scale level[q] fits 32 elements best.

    Errors are weighted by x^2. The element of largest magnitude is put near the level of largest
    magnitude, -127; spreads around that are tried, and for each the scale that fits its codes is a
    least-squares one.
    """
    cdef float extreme = x[0], inverse, slx, sll, w, level, gain, best = -1, scale = 0
    cdef Py_ssize_t i, step
    for i in range(1, 32):
        if fabsf(x[i]) > fabsf(extreme):
            extreme = x[i]
    if not fabsf(extreme) > <float>1e-30:
        return 0
    for step in range(-8, 9):
        inverse = <float>(-127 + 2 * step) / extreme
        slx = sll = 0
        for i in range(32):
            level = nl_level(nearest_nl(inverse * x[i]))
            w = x[i] * x[i]
            slx += w * x[i] * level
            sll += w * level * level
        if not sll > 0:
            continue
        gain = slx * slx / sll  # the weighted error is sum(w x^2) - gain
        if gain > best:
            best = gain
            scale = slx / sll
    return scale


cdef inline void pack_nl(const float* x, float d, unsigned char* q) noexcept nogil:
    """Codes of 32 elements under the scale d, in 16 bytes."""
    cdef float inverse = 1 / d if d != 0 else 0
    cdef Py_ssize_t j
    for j in range(16):
        q[j] = <unsigned char>(
            nearest_nl(x[j] * inverse) | nearest_nl(x[j + 16] * inverse) << 4
        )


cdef void quantize_iq4_nl(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit a scale, make it a half, then take the nearest levels under it."""
    cdef BlockIQ4_NL* b = <BlockIQ4_NL*>blocks
    cdef Py_ssize_t i
    for i in range(n // 32):
        b[i].d = float_to_half(fit_nl(x + i * 32))
        pack_nl(x + i * 32, half_to_float(b[i].d), b[i].q)


cdef float dot_iq4_nl(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_iq4_nl, blocks, CHUNK // 32 * sizeof(BlockIQ4_NL), x, n)


cdef void dequantize_iq4_xs(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = (d s) level[q]."""
    cdef const BlockIQ4_XS* b = <const BlockIQ4_XS*>blocks
    cdef const unsigned char* q
    cdef float d, scale
    cdef Py_ssize_t i, part, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        for part in range(8):
            q = b[i].q + part * 16
            scale = d * scale_xs(b[i].s_low, b[i].s_high, part)
            for j in range(16):
                y[j] = scale * <float>nl_level(q[j] & 15)
            for j in range(16):
                y[16 + j] = scale * <float>nl_level(q[j] >> 4)
            y += 32


cdef void quantize_iq4_xs(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """Fit 8 scales, round them to 6 bits (the largest to -32), then x under what was stored."""
    cdef BlockIQ4_XS* b = <BlockIQ4_XS*>blocks
    cdef float scales[8]
    cdef float extreme, d
    cdef int level
    cdef Py_ssize_t i, j
    for i in range(n // 256):
        extreme = 0
        for j in range(8):
            scales[j] = fit_nl(x + j * 32)
            if fabsf(scales[j]) > fabsf(extreme):
                extreme = scales[j]
        memset(&b[i], 0, sizeof(BlockIQ4_XS))
        b[i].d = float_to_half(extreme / -32)
        d = half_to_float(b[i].d)
        for j in range(8):
            level = to_int(roundf(-32 * scales[j] / extreme)) if extreme != 0 else 0
            level = min(max(level, -32), 31) + 32
            b[i].s_low[j >> 1] |= <unsigned char>((level & 15) << (j & 1) * 4)
            b[i].s_high |= <unsigned short>(level >> 4 << j * 2)
            pack_nl(x + j * 32, d * (level - 32), b[i].q + j * 16)
        x += 256


cdef float dot_iq4_xs(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_iq4_xs, blocks, CHUNK // 256 * sizeof(BlockIQ4_XS), x, n)


# MXFP4: four-bit floats under a power of two ------------------------------------------------------

cdef void dequantize_mxfp4(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = 2^(e - 128) level[q]."""
    cdef const BlockMXFP4* b = <const BlockMXFP4*>blocks
    cdef float d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        d = mx_scale(b[i].e)
        for j in range(16):
            y[i * 32 + j] = d * <float>mx_level(b[i].q[j] & 15)
        for j in range(16):
            y[i * 32 + 16 + j] = d * <float>mx_level(b[i].q[j] >> 4)


cdef inline int nearest_mx(float x, float d) noexcept nogil:
    """The code of the level nearest to x / d; the smaller magnitude on ties."""
    cdef float error = fabsf(x), least = error
    cdef int code, best = 0
    for code in range(1, 8):
        error = fabsf(d * <float>mx_level(code) - fabsf(x))
        if error < least:
            least = error
            best = code
    return best + 8 if x < 0 and best else best


cdef void quantize_mxfp4(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """e so that the largest |x| lies in the top binade of the levels: floor(log2 max|x|) + 125."""
    cdef BlockMXFP4* b = <BlockMXFP4*>blocks
    cdef float largest, d
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        largest = 0
        for j in range(32):
            largest = max(largest, fabsf(x[i * 32 + j]))
        b[i].e = 0
        if largest > 0:
            b[i].e = <unsigned char>min(max(to_int(floorf(log2f(largest))) + 125, 0), 254)
        d = mx_scale(b[i].e)
        for j in range(16):
            b[i].q[j] = <unsigned char>(
                nearest_mx(x[i * 32 + j], d) | nearest_mx(x[i * 32 + j + 16], d) << 4
            )


cdef float dot_mxfp4(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_mxfp4, blocks, CHUNK // 32 * sizeof(BlockMXFP4), x, n)


# TQ1_0 and TQ2_0: -d, 0 or d ----------------------------------------------------------------------

cdef void dequantize_tq1_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d (digit - 1)."""
    cdef const BlockTQ1_0* b = <const BlockTQ1_0*>blocks
    cdef float d
    cdef int power
    cdef Py_ssize_t i, k, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        power = 1
        for k in range(5):
            for j in range(32):
                y[k * 32 + j] = d * <float>(digit(b[i].q[j], power) - 1)
            for j in range(16):
                y[160 + k * 16 + j] = d * <float>(digit(b[i].q[32 + j], power) - 1)
            if k < 4:
                for j in range(4):
                    y[240 + k * 4 + j] = d * <float>(digit(b[i].h[j], power) - 1)
            power *= 3
        y += 256


cdef inline int ternary(float x, float inverse) noexcept nogil:
    return min(max(to_int(roundf(x * inverse)), -1), 1) + 1


cdef inline unsigned char pack_digits(
    const float* x, Py_ssize_t stride, int n_digits, float inverse
) noexcept nogil:
    """Up to five digits as the fraction of 256 that `digit` reads, rounded up."""
    cdef int k, number = 0
    for k in range(5):
        number = number * 3 + (ternary(x[k * stride], inverse) if k < n_digits else 0)
    return <unsigned char>((number * 256 + 242) // 243)


cdef inline float largest_of(const float* x) noexcept nogil:
    cdef float largest = 0
    cdef Py_ssize_t j
    for j in range(256):
        largest = max(largest, fabsf(x[j]))
    return largest


cdef void quantize_tq1_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """d = max |x|, then the nearest of -d, 0 and d."""
    cdef BlockTQ1_0* b = <BlockTQ1_0*>blocks
    cdef float d, inverse
    cdef Py_ssize_t i, j
    for i in range(n // 256):
        d = largest_of(x)
        inverse = 1 / d if d != 0 else 0
        b[i].d = float_to_half(d)
        for j in range(32):
            b[i].q[j] = pack_digits(x + j, 32, 5, inverse)
        for j in range(16):
            b[i].q[32 + j] = pack_digits(x + 160 + j, 16, 5, inverse)
        for j in range(4):
            b[i].h[j] = pack_digits(x + 240 + j, 4, 4, inverse)
        x += 256


cdef float dot_tq1_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_tq1_0, blocks, CHUNK // 256 * sizeof(BlockTQ1_0), x, n)


cdef void dequantize_tq2_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil:
    """x = d (q - 1)."""
    cdef const BlockTQ2_0* b = <const BlockTQ2_0*>blocks
    cdef float d
    cdef int shift
    cdef Py_ssize_t i, part, j
    for i in range(n // 256):
        d = half_to_float(b[i].d)
        for part in range(8):
            shift = <int>(part & 3) * 2
            for j in range(32):
                y[j] = d * <float>(<int>(b[i].q[(part >> 2) * 32 + j] >> shift & 3) - 1)
            y += 32


cdef void quantize_tq2_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil:
    """As TQ1_0, two bits an element."""
    cdef BlockTQ2_0* b = <BlockTQ2_0*>blocks
    cdef float d, inverse
    cdef Py_ssize_t i, e
    for i in range(n // 256):
        d = largest_of(x)
        inverse = 1 / d if d != 0 else 0
        memset(&b[i], 0, sizeof(BlockTQ2_0))
        b[i].d = float_to_half(d)
        for e in range(256):
            b[i].q[e // 128 * 32 + e % 32] |= <unsigned char>(
                ternary(x[e], inverse) << (e % 128 // 32 * 2)
            )
        x += 256


cdef float dot_tq2_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil:
    return dot_chunks(dequantize_tq2_0, blocks, CHUNK // 256 * sizeof(BlockTQ2_0), x, n)
