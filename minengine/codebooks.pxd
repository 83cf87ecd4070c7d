# The codebook formats' functions, for the table in formats.pyx and the integer codes in codes.pyx.

from minengine.blocks cimport FloatBits

# Four-bit codes stand for these levels. NL: denser near zero, where weights are. MX: twice the values
# of a 4-bit float with 2 exponent bits and 1 fraction bit (OCP Microscaling Formats 1.0), so that all
# are integers; the scale is half of what the standard says.
cdef extern from *:
    """
    static inline signed char nl_level(int code) {
        static const signed char levels[16] = {
            -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
        return levels[code];
    }
    static inline signed char mx_level(int code) {
        static const signed char levels[16] = {
            0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
        return levels[code];
    }
    """
    signed char nl_level(int code) nogil
    signed char mx_level(int code) nogil


cdef inline int scale_xs(const unsigned char* low, unsigned short high, Py_ssize_t j) noexcept nogil:
    """Scale j, -32 .. 31: four low bits in a nibble, two high bits in the 16."""
    return (low[j >> 1] >> (j & 1) * 4 & 15 | (high >> j * 2 & 3) << 4) - 32


cdef inline float mx_scale(unsigned char e) noexcept nogil:
    """2^(e - 128): half of the standard's 2^(e - 127), for the levels stand doubled."""
    cdef FloatBits v
    v.u = <unsigned int>0x00200000 << e if e < 2 else <unsigned int>(e - 1) << 23
    return v.f


cdef inline int digit(unsigned char byte, int power) noexcept nogil:
    """The base-3 digit that comes to the top when the byte is multiplied by a power of 3.

    The byte stands for the fraction byte / 256; times 3^k its integer part wraps away, and three
    times what is left has the next digit as its integer part.
    """
    return <unsigned char>(byte * power) * 3 >> 8


cdef void dequantize_iq4_nl(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_iq4_xs(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_mxfp4(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_tq1_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_tq2_0(const void* blocks, float* y, Py_ssize_t n) noexcept nogil

cdef void quantize_iq4_nl(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_iq4_xs(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_mxfp4(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_tq1_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_tq2_0(const float* x, void* blocks, Py_ssize_t n) noexcept nogil

cdef float dot_iq4_nl(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_iq4_xs(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_mxfp4(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_tq1_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_tq2_0(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
