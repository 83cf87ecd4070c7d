# The loops over the cache as compiled units call them.
#
# Owns: nothing; the loops and what they mean are in the .pyx.

from minengine.formats cimport Format

cpdef store_kv(
    const float[:, ::1] k, const float[:, ::1] v, const int[::1] slots, Format format,
    unsigned char[:, :, :, ::1] keys, unsigned char[:, :, :, ::1] values, int n_threads=*
)
cpdef attend(
    const float[:, ::1] q, const unsigned char[:, :, :, ::1] keys,
    const unsigned char[:, :, :, ::1] values, Format format, const int[::1] sequences,
    const int[:, ::1] block_tables, const int[::1] lengths, Py_ssize_t n_heads, float[:, ::1] out,
    const int[::1] starts=*, float scale=*, float softcap=*, int n_threads=*, variant=*
)
cpdef add_mass(
    const float[:, ::1] q, const unsigned char[:, :, :, ::1] keys, Format format,
    const int[::1] sequences, const int[:, ::1] block_tables, const int[::1] lengths,
    Py_ssize_t n_heads, float[:, ::1] scores, float[:, ::1] mass, const int[::1] starts=*,
    float scale=*, float softcap=*, int n_threads=*
)
