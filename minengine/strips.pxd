# The integer product as compiled units call it.
#
# Owns: nothing; the loops and what they mean are in the .pyx.

from minengine.formats cimport Format
from minengine.integer cimport Activations

cpdef matmul(
    Activations x, const unsigned char[:, ::1] weight, Format format, float[:, ::1] out,
    bint interleaved=*, int n_threads=*, variant=*
)
cpdef round_into(Activations found, const float[:, ::1] x, int n_threads=*, variant=*)
