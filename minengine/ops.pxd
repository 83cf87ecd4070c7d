# The operations as compiled units call them.
#
# Owns: nothing; the loops and what they mean are in the .pyx.

from minengine.formats cimport Format

cpdef embed(const unsigned char[:, ::1] table, Format format, const int[::1] ids, float[:, ::1] out)
cpdef matmul(
    const float[:, ::1] x, const unsigned char[:, ::1] weight, Format format, float[:, ::1] out,
    int n_threads=*
)
cpdef rms_norm(const float[:, ::1] x, const float[::1] weight, float eps, float[:, ::1] out)
cpdef rope(
    float[:, ::1] x, const float[:, ::1] cos, const float[:, ::1] sin, Py_ssize_t n_heads,
    str pairing
)
cpdef silu_mul(const float[:, ::1] gate, const float[:, ::1] up, float[:, ::1] out, int n_threads=*)
cpdef gelu_mul(const float[:, ::1] gate, const float[:, ::1] up, float[:, ::1] out, int n_threads=*)
cpdef add_bias(float[:, ::1] x, const float[::1] bias)
cpdef scale(float[:, ::1] x, float factor)
cpdef softcap(float[:, ::1] x, float cap)
cpdef add(float[:, ::1] x, const float[:, ::1] y)
