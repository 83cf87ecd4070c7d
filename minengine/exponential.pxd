# The exponential function, in one text that compilers turn into vector loops.
#
# Owns: the function. Must not know: softmax, gates. Read before: nothing.
#
# A library's expf is called once a number; this is plain arithmetic, so a loop of fixed length over
# it handles as many numbers at once as a vector holds, and gives the same bits on every machine.

from libc.math cimport INFINITY, fmaf

cdef union Bits:
    float f
    unsigned int u


cdef inline float exponential(float x) noexcept nogil:
    """e^x to 2^-23 of it; 0 below -86.98 (no subnormal numbers), infinite above 88.72, NaN of NaN.

    x = n ln 2 + r with n whole and |r| <= ln 2 / 2; e^x = 2^n (1 + r + r^2 P(r)). P is the minimax
    polynomial of degree 4 on that range: off by 2^-28 of e^r. ln 2 comes in two parts, the first of
    so few bits that n times it is exact (Cody and Waite 1980).
    """
    # masks instead of branches, so that a loop over this is a vector loop
    cdef unsigned int low = -<unsigned int>(x < <float>-86.98)
    cdef unsigned int high = -<unsigned int>(x > <float>88.72283)
    cdef float n, r, p
    cdef Bits clipped, shifted, power, found
    clipped.f = x
    clipped.u &= ~(low | high)
    # adding 1.5 * 2^23 leaves no bit for a fraction: the sum is rounded, its last bits count n
    shifted.f = clipped.f * <float>1.4426950408889634 + <float>12582912.0
    n = shifted.f - <float>12582912.0
    r = fmaf(n, <float>-0.693359375, clipped.f)
    r = fmaf(n, <float>2.12194440e-4, r)
    p = fmaf(<float>0.0013814540579915047, r, <float>0.00836874544620514)
    p = fmaf(p, r, <float>0.04166838899254799)
    p = fmaf(p, r, <float>0.1666652113199234)
    p = fmaf(p, r, <float>0.4999999403953552)
    p = fmaf(p, r * r, r) + 1
    # n may be 128, one more than a float's exponent: half of 2^n, twice
    power.u = (shifted.u - <unsigned int>0x4B400000 + 126) << 23
    found.f = p * power.f * 2
    found.u = found.u & ~(low | high) | <unsigned int>0x7F800000 & high
    return found.f
