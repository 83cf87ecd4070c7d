# Block layouts of the weight formats, as they lie in a GGUF file, and how their halves are read.
#
# Owns: the structs, the types of the functions on rows of blocks, half precision. Must not know:
# files, tensors, threads. Read before: sums.pxd.
#
# A row of a tensor is a whole number of blocks with nothing between them. The structs are packed
# (alignment 1), so a file with any alignment can be read where it lies. Halves are IEEE 754
# binary16 and stand here as their 16 bits. Sources: the GGUF specification and ggml's block
# definitions, told in design terms in each comment.

from libc.math cimport fabsf
from libc.string cimport memcpy

from minengine.sums cimport CHUNK, dot_chunk


cdef packed struct BlockF32:  # 4 bytes, 1 element
    float x

cdef packed struct BlockF16:  # 2 bytes, 1 element: sign 1, exponent 5, fraction 10
    unsigned short x

cdef packed struct BlockBF16:  # 2 bytes, 1 element: the upper half of a float32
    unsigned short x

cdef packed struct BlockQ8_0:  # 34 bytes, 32 elements: x = d q
    unsigned short d            # half
    signed char q[32]

cdef packed struct BlockQ4_0:  # 18 bytes, 32 elements: x = d (q - 8)
    unsigned short d            # half
    unsigned char q[16]         # byte j: element j in the low nibble, j + 16 in the high one

cdef packed struct BlockQ4_1:  # 20 bytes, 32 elements: x = d q + m
    unsigned short d            # half
    unsigned short m            # half
    unsigned char q[16]         # nibbles as in Q4_0

cdef packed struct BlockQ5_0:  # 22 bytes, 32 elements: x = d (q - 16)
    unsigned short d            # half
    unsigned char h[4]          # bit j of the 32: the fifth bit of element j
    unsigned char q[16]         # nibbles as in Q4_0

cdef packed struct BlockQ5_1:  # 24 bytes, 32 elements: x = d q + m
    unsigned short d            # half
    unsigned short m            # half
    unsigned char h[4]          # as in Q5_0
    unsigned char q[16]         # nibbles as in Q4_0

cdef packed struct BlockQ2_K:  # 84 bytes, 256 elements, 16 sub-blocks of 16: x = d s q - dmin m
    unsigned char s[16]         # scale in the low nibble, minimum in the high one
    unsigned char q[64]         # 32 bytes serve a half of 128: bits 2j, 2j+1 of byte l: element 32j + l
    unsigned short d            # half, scale of the scales
    unsigned short dmin         # half, scale of the minima

cdef packed struct BlockQ3_K:  # 110 bytes, 256 elements, 16 sub-blocks of 16: x = d (s - 32) q
    unsigned char h[32]         # bit j of byte l: third bit of element 32j + l; clear takes 4 away
    unsigned char q[64]         # low 2 bits, as in Q2_K
    unsigned char s[12]         # 16 scales of 6 bits, see scale_q3()
    unsigned short d            # half, scale of the scales

cdef packed struct BlockQ4_K:  # 144 bytes, 256 elements, 8 sub-blocks of 32: x = d s q - dmin m
    unsigned short d            # half, scale of the scales
    unsigned short dmin         # half, scale of the minima
    unsigned char s[12]         # 8 scales and 8 minima of 6 bits, see scale_min()
    unsigned char q[128]        # 32 bytes serve two sub-blocks: even one low nibbles, odd one high

cdef packed struct BlockQ5_K:  # 176 bytes, 256 elements, 8 sub-blocks of 32: x = d s q - dmin m
    unsigned short d            # half, scale of the scales
    unsigned short dmin         # half, scale of the minima
    unsigned char s[12]         # as in Q4_K
    unsigned char h[32]         # bit j of byte l: fifth bit of element l of sub-block j
    unsigned char q[128]        # nibbles as in Q4_K

cdef packed struct BlockQ6_K:  # 210 bytes, 256 elements, 16 sub-blocks of 16: x = d s (q - 32)
    unsigned char ql[128]       # low 4 bits
    unsigned char qh[64]        # high 2 bits
    signed char s[16]           # scales
    unsigned short d            # half, scale of the scales

cdef packed struct BlockIQ4_NL:  # 18 bytes, 32 elements: x = d level[q], see codebooks.pyx
    unsigned short d            # half
    unsigned char q[16]         # nibbles as in Q4_0

cdef packed struct BlockIQ4_XS:  # 136 bytes, 256 elements, 8 sub-blocks of 32: x = d (s - 32) level[q]
    unsigned short d            # half
    unsigned short s_high       # bits 2j, 2j+1: high bits of scale j
    unsigned char s_low[4]      # low 4 bits of scales 2j (low nibble) and 2j + 1
    unsigned char q[128]        # 16 bytes a sub-block, nibbles as in Q4_0

cdef packed struct BlockMXFP4:  # 17 bytes, 32 elements: x = 2^(e - 128) level[q], see codebooks.pyx
    unsigned char e             # exponent
    unsigned char q[16]         # nibbles as in Q4_0

cdef packed struct BlockTQ1_0:  # 54 bytes, 256 elements of -d, 0, d: five digits of base 3 a byte
    unsigned char q[48]         # 32 bytes for elements 0-159, 16 for 160-239
    unsigned char h[4]          # elements 240-255, four digits a byte
    unsigned short d            # half

cdef packed struct BlockTQ2_0:  # 66 bytes, 256 elements of -d, 0, d: x = d (q - 1)
    unsigned char q[64]         # as in Q2_K
    unsigned short d            # half


# n counts elements and is a whole number of blocks. None of these can fail; the checked doors are
# Format's methods.
ctypedef void (*dequantize_fn)(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*quantize_fn)(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
ctypedef float (*dot_fn)(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
# up to 256 elements as codes q (n,), with scale and low (n / 16,): x = scale q + low; see codes.pyx
ctypedef void (*unpack_fn)(
    const void* blocks, Py_ssize_t n, short* q, float* scale, float* low
) noexcept nogil


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


# The fifth bits of Q5_0 and Q5_1 -------------------------------------------------------------------

cdef inline void fifth_bits(const unsigned char* h, unsigned char* bit) noexcept nogil:
    """The 32 bits of h as 0 or 16, one byte each."""
    cdef unsigned int bits
    cdef Py_ssize_t j
    memcpy(&bits, h, 4)
    for j in range(32):
        bit[j] = <unsigned char>((bits >> j & 1) << 4)


# The dot product ----------------------------------------------------------------------------------

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
