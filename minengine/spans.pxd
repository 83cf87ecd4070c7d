# Attention of a tile of queries over a range of keys, as attention.pyx sees it.
#
# Owns: the structs. Read before: spans.pyx (what is computed).

from minengine.blocks cimport dequantize_fn

cdef enum:
    SPAN = 64         # keys whose scores are computed before their softmax
    RANGE = 4 * SPAN  # keys of a range: ranges of one sequence may be computed side by side
    TILE_ROWS = 32    # queries that meet a span together, where there are so many
    FEW_ROWS = 8      # up to here halves are widened for each of them: one sequence, one token

ctypedef void (*scores_fn)(
    const float* q, Py_ssize_t n_rows, Py_ssize_t width, const void* const* keys,
    const void* const* next, Py_ssize_t n_keys, float* scores, Py_ssize_t stride
) noexcept nogil
ctypedef void (*gather_fn)(
    const float* p, Py_ssize_t n_rows, Py_ssize_t stride, const void* const* values,
    const void* const* next, Py_ssize_t n_keys, float* out, Py_ssize_t width
) noexcept nogil

cdef extern from "simd/spans.h" nogil:
    ctypedef struct Products:
        scores_fn scores
        gather_fn gather

# The two products on rows of floats and on rows of halves, NULL where there are none.
cdef struct Kernels:
    Products floats, halves

# What is the same for every tile of a call; T tokens, H heads, G key/value heads of width E.
cdef struct Walk:
    const float* q                 # (T, H * E)
    float* out                     # (T, H * E)
    const unsigned char* keys      # (n_blocks, G, B, row_bytes)
    const unsigned char* values
    const int* sequences           # (T,) the row of tables
    const int* tables              # (N, table_width)
    const int* starts              # (T,) the first key a token sees, NULL is 0
    const int* lengths             # (T,) one past the last
    Py_ssize_t table_width, size   # size is B
    Py_ssize_t head_bytes, block_bytes, row_bytes
    Py_ssize_t n_heads, n_groups, per_group
    Py_ssize_t width, padded       # E, and that in whole vectors of 16
    float scale, cap               # of scores; cap 0 is none
    dequantize_fn to_f32
    bint in_place                  # rows of the cache are read where they lie,
    Py_ssize_t few                 # and as halves by so many queries at most
    Kernels kernels

# Some tokens of one sequence that stand together in a batch, and the keys that any of them sees.
cdef struct Tile:
    Py_ssize_t first, n_tokens, start, end

cdef Kernels kernels_of(variant) except *
cdef Py_ssize_t state_size(const Walk* w, Py_ssize_t n_rows) noexcept nogil
cdef Py_ssize_t scratch_size(const Walk* w, Py_ssize_t n_rows) noexcept nogil
cdef Tile tile_at(
    const Walk* w, Py_ssize_t first, Py_ssize_t n_tokens, Py_ssize_t most
) noexcept nogil
cdef void attend_range(
    const Walk* w, const Tile* tile, Py_ssize_t g, Py_ssize_t start, Py_ssize_t end,
    float* scratch, float* state
) noexcept nogil
cdef void merge_states(
    const Walk* w, Py_ssize_t n_rows, const float* more, float* state
) noexcept nogil
cdef void clear_state(const Walk* w, Py_ssize_t n_rows, float* state) noexcept nogil
cdef void finish(const Walk* w, const Tile* tile, Py_ssize_t g, const float* state) noexcept nogil
