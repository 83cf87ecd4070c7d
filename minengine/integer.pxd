# Activations in groups, and the readable product, as strips.pyx sees them.
#
# Owns: the class. Read before: simd/layout.h (a group's fields and their order).

from libc.stdint cimport int8_t, int32_t

from minengine.formats cimport Format

cdef extern from "simd/layout.h" nogil:
    enum:
        GROUP_SIZE    # elements that stand together, in two halves of one scale each
        TILE_TOKENS   # tokens whose groups stand together
    ctypedef struct Group:
        int8_t codes[32]
        float scale[2]
        int32_t minus_sum[2]
        float sum[2]
        float both

# n_groups groups of one token, each `stride` groups after the one before
ctypedef void (*quantize_fn)(
    const float* x, Py_ssize_t n_groups, Group* groups, Py_ssize_t stride
) noexcept nogil


cdef class Activations:
    cdef readonly Py_ssize_t n_tokens, n
    cdef readonly object groups  # numpy of GROUP, the first T * n / 32 count; None before any
    cdef Py_ssize_t room         # how many there are
    cdef Group* data             # the same
    cdef int fill(self, const float[:, ::1] x, quantize_fn quantize, int n_threads) except -1
    cdef void fill_token(
        self, Py_ssize_t t, const float* x, Py_ssize_t n_groups, quantize_fn quantize
    ) noexcept nogil


cdef void quantize_row(
    const float* x, Py_ssize_t n_groups, Group* groups, Py_ssize_t stride
) noexcept nogil

cdef int check(
    str what, Activations x, const unsigned char[:, ::1] weight, Format format,
    float[:, ::1] out, Py_ssize_t n_rows, int n_threads,
) except -1
