# Inline float reductions in one fixed order.
#
# Owns: the order in which floats are added. Must not know: formats, threads, shapes. Read before:
# nothing.
#
# Float addition is not associative, so the order is part of the result. Here it never depends on
# the number of threads, on how many tokens are in the batch, or on the format: a row is cut into
# chunks of CHUNK elements, each chunk is summed in eight named accumulators added in a fixed tree,
# and the chunks are added from left to right. Eight accumulators are eight independent chains (the
# compiler keeps them in one vector register), and the rounding error grows with n / 8 + 3 instead
# of n.

cdef enum:
    CHUNK = 256  # elements; every block size of blocks.pxd divides it


cdef inline float dot_chunk(const float* a, const float* b, Py_ssize_t n) noexcept nogil:
    """sum_i a[i] b[i] over one chunk: a (n,), b (n,)."""
    cdef float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0, tail = 0
    cdef Py_ssize_t i, whole = n - n % 8
    for i in range(0, whole, 8):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
        s3 += a[i + 3] * b[i + 3]
        s4 += a[i + 4] * b[i + 4]
        s5 += a[i + 5] * b[i + 5]
        s6 += a[i + 6] * b[i + 6]
        s7 += a[i + 7] * b[i + 7]
    for i in range(whole, n):
        tail += a[i] * b[i]
    return (((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))) + tail


cdef inline float dot(const float* a, const float* b, Py_ssize_t n) noexcept nogil:
    """sum_i a[i] b[i] over a row of any length, chunk by chunk: a (n,), b (n,)."""
    cdef float total = 0
    cdef Py_ssize_t i = 0
    while i < n:
        total += dot_chunk(a + i, b + i, min(n - i, <Py_ssize_t>CHUNK))
        i += CHUNK
    return total
