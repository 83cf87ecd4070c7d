# How many threads a loop gets.
#
# Owns: the one number below. Must not know: what a loop computes. Any answer gives the same bits.

cdef enum:
    # Multiply-adds that one thread does in about 0.2 ms. Waking sleeping threads takes 0.07 ms, twice
    # a loop: below this they come too late. Decoding the packaged model, whose products have 0.2 M,
    # ran at 207 tokens/s on two threads and at 503 on one.
    WORTH_WAKING = 1 << 19


cdef inline int team(int n_threads, Py_ssize_t work) noexcept nogil:
    """``n_threads``, or 1 where ``work`` multiply-adds are not worth waking the others for."""
    return n_threads if work >= WORTH_WAKING else 1
