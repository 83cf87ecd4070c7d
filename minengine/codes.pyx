"""Blocks as integers: for each format the codes of up to 256 elements, and what they stand for.

Owns: `unpack` of every quantized format. Must not know: activations, threads, tensors. Read before:
`blocks.pxd` (the layouts), `kquants.pyx`, `codebooks.pyx`; read after: `integer.pyx`.

Every format is x = scale q + low with q of 8 bits and one scale and low for 16 elements: a format
of larger blocks repeats them. So one integer product serves all formats. ``n`` is a whole number of
blocks and at most 256; q has n elements (in 16 bits, as the product wants them), scale and low n /
16.
"""

from minengine.blocks cimport (
    BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockQ2_K, BlockQ3_K, BlockQ4_0, BlockQ4_1, BlockQ4_K,
    BlockQ5_0, BlockQ5_1, BlockQ5_K, BlockQ6_K, BlockQ8_0, BlockTQ1_0, BlockTQ2_0, fifth_bits,
    half_to_float,
)
from minengine.codebooks cimport digit, mx_level, mx_scale, nl_level, scale_xs
from minengine.kquants cimport scale_min, scale_q3


cdef inline void both(float* values, Py_ssize_t block, float value) noexcept nogil:
    """A block of 32 has its value for both of its sixteens."""
    values[2 * block] = value
    values[2 * block + 1] = value


# Blocks of 32 -------------------------------------------------------------------------------------

cdef void unpack_q8_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ8_0* b = <const BlockQ8_0*>blocks
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, 0)
        for j in range(32):
            q[i * 32 + j] = b[i].q[j]


cdef inline void nibbles(const unsigned char* bytes, short* q, int bias) noexcept nogil:
    """16 bytes -> 32 codes less a bias: byte j holds element j low and j + 16 high."""
    cdef Py_ssize_t j
    for j in range(16):
        q[j] = <short>((bytes[j] & 15) - bias)
    for j in range(16):
        q[16 + j] = <short>((bytes[j] >> 4) - bias)


cdef inline void add_fifth(const unsigned char* h, short* q) noexcept nogil:
    """The fifth bits of 32 codes."""
    cdef unsigned char bit[32]
    cdef Py_ssize_t j
    fifth_bits(h, bit)
    for j in range(32):
        q[j] += <short>bit[j]


cdef void unpack_q4_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ4_0* b = <const BlockQ4_0*>blocks
    cdef Py_ssize_t i
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, 0)
        nibbles(b[i].q, q + i * 32, 8)


cdef void unpack_q4_1(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ4_1* b = <const BlockQ4_1*>blocks
    cdef Py_ssize_t i
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, half_to_float(b[i].m))
        nibbles(b[i].q, q + i * 32, 0)


cdef void unpack_q5_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ5_0* b = <const BlockQ5_0*>blocks
    cdef Py_ssize_t i
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, 0)
        nibbles(b[i].q, q + i * 32, 16)
        add_fifth(b[i].h, q + i * 32)


cdef void unpack_q5_1(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ5_1* b = <const BlockQ5_1*>blocks
    cdef Py_ssize_t i
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, half_to_float(b[i].m))
        nibbles(b[i].q, q + i * 32, 0)
        add_fifth(b[i].h, q + i * 32)


cdef void unpack_iq4_nl(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockIQ4_NL* b = <const BlockIQ4_NL*>blocks
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        both(scale, i, half_to_float(b[i].d))
        both(low, i, 0)
        for j in range(16):
            q[i * 32 + j] = nl_level(b[i].q[j] & 15)
            q[i * 32 + 16 + j] = nl_level(b[i].q[j] >> 4)


cdef void unpack_mxfp4(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockMXFP4* b = <const BlockMXFP4*>blocks
    cdef Py_ssize_t i, j
    for i in range(n // 32):
        both(scale, i, mx_scale(b[i].e))
        both(low, i, 0)
        for j in range(16):
            q[i * 32 + j] = mx_level(b[i].q[j] & 15)
            q[i * 32 + 16 + j] = mx_level(b[i].q[j] >> 4)


# Blocks of 256 ------------------------------------------------------------------------------------

cdef inline void pairs(const unsigned char* bytes, short* q, int bias) noexcept nogil:
    """64 bytes -> 256 codes less a bias: bits 2j, 2j + 1 of byte l of 32 hold element 32 j + l."""
    cdef Py_ssize_t part, j
    cdef int shift
    for part in range(8):
        shift = <int>(part & 3) * 2
        for j in range(32):
            q[part * 32 + j] = <short>((bytes[(part >> 2) * 32 + j] >> shift & 3) - bias)


cdef void unpack_q2_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ2_K* b = <const BlockQ2_K*>blocks
    cdef float d, dmin
    cdef Py_ssize_t j
    d = half_to_float(b[0].d)
    dmin = half_to_float(b[0].dmin)
    for j in range(16):
        scale[j] = d * (b[0].s[j] & 15)
        low[j] = -dmin * (b[0].s[j] >> 4)
    pairs(b[0].q, q, 0)


cdef void unpack_q3_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ3_K* b = <const BlockQ3_K*>blocks
    cdef float d = half_to_float(b[0].d)
    cdef Py_ssize_t part, j
    for j in range(16):
        scale[j] = d * scale_q3(b[0].s, j)
        low[j] = 0
    pairs(b[0].q, q, 4)
    for part in range(8):
        for j in range(32):
            q[part * 32 + j] += <short>((b[0].h[j] >> part & 1) << 2)


cdef void scales_minima(
    const unsigned char* s, float d, float dmin, float* scale, float* low
) noexcept nogil:
    """The eight scales and minima of Q4_K and Q5_K."""
    cdef int sub_scale = 0, minimum = 0
    cdef Py_ssize_t j
    for j in range(8):
        scale_min(s, j, &sub_scale, &minimum)
        both(scale, j, d * sub_scale)
        both(low, j, -dmin * minimum)


cdef inline void nibbles_k(const unsigned char* bytes, short* q) noexcept nogil:
    """128 bytes -> 256 codes: 32 bytes serve 64 elements, low nibbles first."""
    cdef Py_ssize_t pair, j
    for pair in range(4):
        for j in range(32):
            q[pair * 64 + j] = <short>(bytes[pair * 32 + j] & 15)
        for j in range(32):
            q[pair * 64 + 32 + j] = <short>(bytes[pair * 32 + j] >> 4)


cdef void unpack_q4_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ4_K* b = <const BlockQ4_K*>blocks
    scales_minima(b[0].s, half_to_float(b[0].d), half_to_float(b[0].dmin), scale, low)
    nibbles_k(b[0].q, q)


cdef void unpack_q5_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ5_K* b = <const BlockQ5_K*>blocks
    cdef Py_ssize_t part, j
    scales_minima(b[0].s, half_to_float(b[0].d), half_to_float(b[0].dmin), scale, low)
    nibbles_k(b[0].q, q)
    for part in range(8):
        for j in range(32):
            q[part * 32 + j] += <short>((b[0].h[j] >> part & 1) << 4)


cdef void unpack_q6_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockQ6_K* b = <const BlockQ6_K*>blocks
    cdef float d = half_to_float(b[0].d)
    cdef const unsigned char* ql
    cdef const unsigned char* qh
    cdef int shift
    cdef Py_ssize_t half, part, j
    for j in range(16):
        scale[j] = d * b[0].s[j]
        low[j] = 0
    for half in range(2):
        for part in range(4):  # 32 elements
            ql = b[0].ql + half * 64 + (part & 1) * 32
            qh = b[0].qh + half * 32
            shift = <int>part * 2
            if part < 2:
                for j in range(32):
                    q[j] = <short>((ql[j] & 15 | (qh[j] >> shift & 3) << 4) - 32)
            else:
                for j in range(32):
                    q[j] = <short>((ql[j] >> 4 | (qh[j] >> shift & 3) << 4) - 32)
            q += 32


cdef void unpack_iq4_xs(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockIQ4_XS* b = <const BlockIQ4_XS*>blocks
    cdef float d = half_to_float(b[0].d)
    cdef Py_ssize_t part, j
    for part in range(8):
        both(scale, part, d * scale_xs(b[0].s_low, b[0].s_high, part))
        both(low, part, 0)
        for j in range(16):
            q[part * 32 + j] = nl_level(b[0].q[part * 16 + j] & 15)
            q[part * 32 + 16 + j] = nl_level(b[0].q[part * 16 + j] >> 4)


cdef void unpack_tq1_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockTQ1_0* b = <const BlockTQ1_0*>blocks
    cdef float d = half_to_float(b[0].d)
    cdef int power = 1
    cdef Py_ssize_t k, j
    for j in range(16):
        scale[j] = d
        low[j] = 0
    for k in range(5):
        for j in range(32):
            q[k * 32 + j] = <short>(digit(b[0].q[j], power) - 1)
        for j in range(16):
            q[160 + k * 16 + j] = <short>(digit(b[0].q[32 + j], power) - 1)
        if k < 4:
            for j in range(4):
                q[240 + k * 4 + j] = <short>(digit(b[0].h[j], power) - 1)
        power *= 3


cdef void unpack_tq2_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil:
    cdef const BlockTQ2_0* b = <const BlockTQ2_0*>blocks
    cdef float d = half_to_float(b[0].d)
    cdef Py_ssize_t j
    for j in range(16):
        scale[j] = d
        low[j] = 0
    pairs(b[0].q, q, 1)
