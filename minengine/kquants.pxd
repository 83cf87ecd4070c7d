# The K formats' functions, for the table in formats.pyx and the integer products.

cdef void scale_min(
    const unsigned char* s, Py_ssize_t j, int* scale, int* minimum
) noexcept nogil
cdef int scale_q3(const unsigned char* s, Py_ssize_t j) noexcept nogil

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
