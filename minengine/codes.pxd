# Blocks as integers: the functions of codes.pyx, for the table in formats.pyx.

cdef void unpack_q8_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q4_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q4_1(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q5_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q5_1(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q2_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q3_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q4_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q5_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_q6_k(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_iq4_nl(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_iq4_xs(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_mxfp4(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_tq1_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
cdef void unpack_tq2_0(const void* blocks, Py_ssize_t n, short* q, float* scale, float* low) noexcept nogil
