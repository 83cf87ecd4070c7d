# How many threads a loop gets.
#
# Owns: the one number below. Must not know: what a loop computes. Any answer gives the same bits.
# With one thread the loops of a decoding step are written without OpenMP: its region of one thread
# wakes nobody by a call to the system, 80 of them were 10 % of a step of the packaged model.

cdef enum:
    # Multiply-adds that one thread does in 3 us (integer product) to 50 us (readable text). A second
    # thread that spins costs 1 us, one that fell asleep 70 us, once a step. Decoding the packaged
    # model, whose larger products have 0.2 M, gives on two threads of Zen 5, tokens/s: 5,700 from
    # 2^14 on, 5,300 from 2^17, 4,200 from 2^18, 4,400 from 2^19; one thread gives 4,600. Generating,
    # where drawing lies between the steps, a token takes 0.34 ms from 2^17, 0.37 from 2^19, and 0.33
    # to 0.42 from 2^15. With two busy programs beside it no choice stands out.
    WORTH_WAKING = 1 << 17


cdef inline int team(int n_threads, Py_ssize_t work) noexcept nogil:
    """``n_threads``, or 1 where ``work`` multiply-adds are not worth waking the others for."""
    return n_threads if work >= WORTH_WAKING else 1
