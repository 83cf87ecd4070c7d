# A row of FORMATS as the compiled units see it: the API page of formats.pyx.
#
# Owns: the class. Must not know: files, tensors, threads. Read before: blocks.pxd (the layouts).

from minengine.blocks cimport dequantize_fn, dot_fn, quantize_fn, unpack_fn


cdef class Format:
    cdef readonly str name
    cdef readonly int ggml_id
    cdef readonly int block_size   # elements
    cdef readonly int block_bytes
    cdef readonly bint fine        # one scale for 16 elements; one for 32 otherwise
    cdef dequantize_fn to_f32
    cdef quantize_fn from_f32
    cdef dot_fn dot_f32
    cdef unpack_fn unpack          # NULL where the elements are floats
