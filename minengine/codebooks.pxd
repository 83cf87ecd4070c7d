# The codebook formats' functions, for the table in formats.pyx and the integer products.

cdef float mx_scale(unsigned char e) noexcept nogil
cdef int scale_xs(const unsigned char* low, unsigned short high, Py_ssize_t j) noexcept nogil

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
