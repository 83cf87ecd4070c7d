# The K formats' functions, for the table in formats.pyx and the integer codes in codes.pyx.

cdef inline int scale_q3(const unsigned char* s, Py_ssize_t j) noexcept nogil:
    """Scale j from the 12 bytes, -32 .. 31.

    Bytes 0-7 hold the low 4 bits of scales 0-7 (low nibbles) and 8-15 (high); byte 8 + j % 4 the
    high 2 bits of scales j, j + 4, j + 8, j + 12 from its lowest bits up.
    """
    return (s[j & 7] >> (j >> 3) * 4 & 15 | (s[8 + (j & 3)] >> (j >> 2) * 2 & 3) << 4) - 32


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


cdef void dequantize_q2_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_q3_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_q4_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_q5_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
cdef void dequantize_q6_k(const void* blocks, float* y, Py_ssize_t n) noexcept nogil

cdef void quantize_q2_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_q3_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_q4_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_q5_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
cdef void quantize_q6_k(const float* x, void* blocks, Py_ssize_t n) noexcept nogil

cdef float dot_q2_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_q3_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_q4_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_q5_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
cdef float dot_q6_k(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil
