# Block layouts of the weight formats, as they lie in a GGUF file: the API page of formats.pyx.
#
# Owns: the structs. Must not know: files, tensors, threads. Read before: sums.pxd.
#
# A row of a tensor is a whole number of blocks with nothing between them. The structs are packed
# (alignment 1), so a file with any alignment can be read where it lies. Halves are IEEE 754
# binary16 and stand here as their 16 bits. Sources: the GGUF specification and ggml's block
# definitions, told in design terms in each comment.

cdef packed struct BlockF32:  # 4 bytes, 1 element
    float x

cdef packed struct BlockF16:  # 2 bytes, 1 element: sign 1, exponent 5, fraction 10
    unsigned short x

cdef packed struct BlockBF16:  # 2 bytes, 1 element: the upper half of a float32
    unsigned short x

cdef packed struct BlockQ8_0:  # 34 bytes, 32 elements: x = d q
    unsigned short d            # half
    signed char q[32]

cdef packed struct BlockQ4_0:  # 18 bytes, 32 elements: x = d (q - 8)
    unsigned short d            # half
    unsigned char q[16]         # byte j: element j in the low nibble, j + 16 in the high one

cdef packed struct BlockQ4_K:  # 144 bytes, 256 elements, 8 sub-blocks of 32: x = d s q - dmin m
    unsigned short d            # half, scale of the scales
    unsigned short dmin         # half, scale of the minima
    unsigned char s[12]         # 8 scales and 8 minima of 6 bits, see scale_min()
    unsigned char q[128]        # 32 bytes serve two sub-blocks: even one low nibbles, odd one high

cdef packed struct BlockQ6_K:  # 210 bytes, 256 elements, 16 sub-blocks of 16: x = d s (q - 32)
    unsigned char ql[128]       # low 4 bits
    unsigned char qh[64]        # high 2 bits
    signed char s[16]           # scales
    unsigned short d            # half, scale of the scales


# n counts elements and is a whole number of blocks. None of these can fail; the checked doors are
# Format's methods.
ctypedef void (*dequantize_fn)(const void* blocks, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*quantize_fn)(const float* x, void* blocks, Py_ssize_t n) noexcept nogil
ctypedef float (*dot_fn)(const void* blocks, const float* x, Py_ssize_t n) noexcept nogil


cdef class Format:
    cdef readonly str name
    cdef readonly int ggml_id
    cdef readonly int block_size   # elements
    cdef readonly int block_bytes
    cdef dequantize_fn to_f32
    cdef quantize_fn from_f32
    cdef dot_fn dot_f32
