"""The loops over the cache: store keys and values into blocks, attend over block tables.

Owns: how a cache of blocks is written and read. Must not know: who owns a block, tensor names,
sampling. Read before: `oracle.py` (attention), `kvcache.py` (blocks and tables), `formats.pyx`.

Layout. The keys of one layer are ``(n_blocks, G, B, row_bytes)``: block, key/value head, offset in
the block, and one row of E elements in the cache's format; the values likewise. So one head of one
block is contiguous (B E elements, 8 KiB for 32 tokens of 64 floats) and is read from first to last.
Token j of a sequence lies in block ``table[j // B]`` at offset ``j % B``; a *slot* is ``block * B +
offset``.

What attention computes, and in which order, is `spans.pyx`'s; here its work is dealt out: tiles of
neighbouring tokens times key/value heads and, where these are too few for the threads, ranges of a
long text. A sequence's keys are taken in its order, wherever its blocks lie, so a block table's
contents do not change a bit. Kwon et al. 2023, "PagedAttention", section 4.1.
"""

from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, expf, sqrtf, tanhf
from libc.stdlib cimport free, malloc

from minengine.blocks cimport dot_fn
from minengine.formats cimport Format
from minengine.spans cimport (
    FEW_ROWS, RANGE, TILE_ROWS, Tile, Walk, attend_range, finish, kernels_of, merge_states,
    scratch_size, state_size, tile_at,
)
from minengine.threads cimport team

cdef enum:
    MOST_TOKENS_A_BLOCK = 256
    STORE_WORK = 8  # multiply-adds that storing a key and a value element is worth


cdef int check_cache(
    const unsigned char[:, :, :, ::1] keys, const unsigned char[:, :, :, ::1] values,
    Format format, Py_ssize_t width,
) except -1:
    cdef Py_ssize_t i
    for i in range(4):
        if keys.shape[i] != values.shape[i]:
            raise ValueError(
                f"attention: axis {i} of keys has {keys.shape[i]}, of values {values.shape[i]}"
            )
    if not 1 <= keys.shape[2] <= MOST_TOKENS_A_BLOCK:
        raise ValueError(
            f"attention: blocks of {keys.shape[2]} tokens, want 1 .. {MOST_TOKENS_A_BLOCK}"
        )
    if keys.shape[1] < 1 or width < 1 or keys.shape[3] != format.row_bytes(width):
        raise ValueError(
            f"attention: cache rows of {keys.shape[3]} bytes, want {format.row_bytes(width)} "
            f"for heads of {width} in {format.name}"
        )
    return 0


cpdef store_kv(
    const float[:, ::1] k,                # IN (T, G * E)
    const float[:, ::1] v,                # IN (T, G * E)
    const int[::1] slots,                 # IN (T,)
    Format format,
    unsigned char[:, :, :, ::1] keys,     # INOUT (n_blocks, G, B, row_bytes)
    unsigned char[:, :, :, ::1] values,   # INOUT (n_blocks, G, B, row_bytes)
    int n_threads=1,
):
    """Writes the key and value rows of T tokens into their slots, in the cache's format.

    ValueError where shapes differ or a slot lies outside the cache; nothing is written then. Slots
    differ from each other. Parallel over tokens.
    """
    cdef Py_ssize_t t, n_tokens = k.shape[0], n_groups = keys.shape[1], size = keys.shape[2]
    cdef Py_ssize_t width = k.shape[1] // max(n_groups, <Py_ssize_t>1)
    check_cache(keys, values, format, width)
    if k.shape[1] != n_groups * width or v.shape[1] != k.shape[1] or v.shape[0] != n_tokens:
        raise ValueError(
            f"store_kv: k ({k.shape[0]}, {k.shape[1]}), v ({v.shape[0]}, {v.shape[1]}), "
            f"want both ({n_tokens}, {n_groups * width})"
        )
    if slots.shape[0] != n_tokens:
        raise ValueError(f"store_kv: {slots.shape[0]} slots for {n_tokens} tokens")
    for t in range(n_tokens):
        if not 0 <= slots[t] < keys.shape[0] * size:
            raise ValueError(
                f"store_kv: slot {slots[t]} at {t}, want 0 .. {keys.shape[0] * size - 1}"
            )
    n_threads = team(n_threads, STORE_WORK * n_tokens * n_groups * width)
    with nogil:
        if n_threads == 1:
            for t in range(n_tokens):
                store_token(format, &k[t, 0], &v[t, 0], slots[t], keys, values, width)
        else:
            for t in prange(n_tokens, num_threads=n_threads, schedule="static"):
                store_token(format, &k[t, 0], &v[t, 0], slots[t], keys, values, width)


cdef inline void store_token(
    Format format, const float* k, const float* v, Py_ssize_t slot,
    unsigned char[:, :, :, ::1] keys, unsigned char[:, :, :, ::1] values, Py_ssize_t width,
) noexcept nogil:
    cdef Py_ssize_t g, block = slot // keys.shape[2], offset = slot % keys.shape[2]
    for g in range(keys.shape[1]):
        format.from_f32(k + g * width, &keys[block, g, offset, 0], width)
        format.from_f32(v + g * width, &values[block, g, offset, 0], width)


cpdef attend(
    const float[:, ::1] q,                      # IN (T, H * E)
    const unsigned char[:, :, :, ::1] keys,     # IN (n_blocks, G, B, row_bytes)
    const unsigned char[:, :, :, ::1] values,   # IN (n_blocks, G, B, row_bytes)
    Format format,
    const int[::1] sequences,                   # IN (T,) the row of block_tables of token t
    const int[:, ::1] block_tables,             # IN (N, M), -1 where a sequence has no more blocks
    const int[::1] lengths,                     # IN (T,) how many keys token t sees, with its own
    Py_ssize_t n_heads,                         # H
    float[:, ::1] out,                          # OUT (T, H * E)
    const int[::1] starts=None,                 # IN (T,) the first key token t sees; None is 0
    float scale=0,
    float softcap=0,
    int n_threads=1,
    variant=None,
):
    """Causal grouped attention over paged keys and values: ``softmax(q k^T * scale) v``.

    Query head h reads key/value head h // (H / G). ``scale`` 0 means 1 / sqrt(E). ``softcap`` c
    makes a score s to c tanh(s / c), 0 is off. Token t sees keys starts[t] .. lengths[t] - 1 of its
    sequence, one that sees none gets zeros; keys before a start are not read. ``variant`` as of
    `strips`; all give the same bits. ValueError where shapes differ, a table names a block outside
    the cache, or a length reaches past its table. Parallel over tokens, key/value heads and ranges
    of keys.
    """
    cdef Py_ssize_t n_tokens = q.shape[0], n_groups = keys.shape[1], width
    cdef Walk w
    width = check_query(q, keys, sequences, block_tables, lengths, n_heads, starts, n_threads)
    check_cache(keys, values, format, width)
    if out.shape[0] != n_tokens or out.shape[1] != q.shape[1]:
        raise ValueError(
            f"attend: out ({out.shape[0]}, {out.shape[1]}), want ({n_tokens}, {q.shape[1]})"
        )
    if n_tokens == 0:
        return
    if keys.shape[0] == 0:
        out[:, :] = 0
        return
    w.q, w.out, w.keys, w.values = &q[0, 0], &out[0, 0], &keys[0, 0, 0, 0], &values[0, 0, 0, 0]
    w.sequences, w.lengths, w.starts = &sequences[0], &lengths[0], NULL
    if starts is not None:
        w.starts = &starts[0]
    w.tables, w.table_width, w.size = &block_tables[0, 0], block_tables.shape[1], keys.shape[2]
    w.row_bytes, w.head_bytes = keys.shape[3], keys.shape[2] * keys.shape[3]
    w.block_bytes = n_groups * w.head_bytes
    w.n_heads, w.n_groups, w.per_group = n_heads, n_groups, n_heads // n_groups
    w.width, w.padded = width, (width + 15) // 16 * 16
    w.scale, w.cap = scale if scale != 0 else 1 / sqrtf(width), softcap
    w.to_f32, w.kernels = format.to_f32, kernels_of(variant)
    w.in_place = (
        format.ggml_id == 0 and width % 16 == 0 and <size_t>w.keys % 4 == <size_t>w.values % 4 == 0
    )
    w.few = (
        FEW_ROWS if format.ggml_id == 1 and width % 16 == 0 and w.kernels.halves.scores != NULL
        else 0
    )
    run(&w, n_tokens, team(n_threads, 2 * keys_seen(lengths, starts) * n_heads * width))


cdef int run(const Walk* w, Py_ssize_t n_tokens, int n_threads) except -1:
    """Deals out the tiles, and their ranges where that gives every thread something to do."""
    cdef Py_ssize_t most = max(<Py_ssize_t>1, TILE_ROWS // w.per_group), t = 0, n_tiles = 0
    cdef Py_ssize_t n_rows = min(most, n_tokens) * w.per_group, n_ranges = 1, n_states, job
    cdef Py_ssize_t state = state_size(w, n_rows), scratch = scratch_size(w, n_rows)
    cdef Tile* tiles = <Tile*>malloc(n_tokens * sizeof(Tile))
    cdef float* room = NULL
    cdef float* states
    cdef bint split
    if tiles == NULL:
        raise MemoryError("attend")
    while t < n_tokens:
        tiles[n_tiles] = tile_at(w, t, n_tokens, most)
        n_ranges = max(n_ranges, ranges_of(&tiles[n_tiles]))
        t += tiles[n_tiles].n_tokens
        n_tiles += 1
    split = n_threads > 1 and n_ranges > 1 and n_tiles * w.n_groups < 2 * n_threads
    n_states = n_tiles * w.n_groups * n_ranges if split else n_threads
    room = <float*>malloc((n_threads * (scratch + state) + n_states * state) * sizeof(float))
    if room == NULL:
        free(tiles)
        raise MemoryError("attend")
    states = room + n_threads * (scratch + state)
    with nogil:
        if split:
            for job in prange(n_states, num_threads=n_threads, schedule="dynamic"):
                one_range(
                    w, &tiles[job // n_ranges // w.n_groups], job // n_ranges % w.n_groups,
                    job % n_ranges, room + threadid() * (scratch + state), states + job * state,
                )
            for job in range(n_tiles * w.n_groups):
                for t in range(1, n_ranges):
                    merge_states(
                        w, tiles[job // w.n_groups].n_tokens * w.per_group,
                        states + (job * n_ranges + t) * state, states + job * n_ranges * state,
                    )
                finish(w, &tiles[job // w.n_groups], job % w.n_groups,
                       states + job * n_ranges * state)
        elif n_threads == 1:
            for job in range(n_tiles * w.n_groups):
                all_ranges(
                    w, &tiles[job // w.n_groups], job % w.n_groups, room, scratch, states
                )
        else:
            for job in prange(
                n_tiles * w.n_groups, num_threads=n_threads, schedule="dynamic"
            ):
                all_ranges(
                    w, &tiles[job // w.n_groups], job % w.n_groups,
                    room + threadid() * (scratch + state), scratch, states + threadid() * state,
                )
    free(room)
    free(tiles)
    return 0


cdef inline Py_ssize_t ranges_of(const Tile* tile) noexcept nogil:
    """How many ranges the keys of a tile touch."""
    return max(<Py_ssize_t>1, (tile.end + RANGE - 1) // RANGE - tile.start // RANGE)


cdef inline void one_range(
    const Walk* w, const Tile* tile, Py_ssize_t g, Py_ssize_t i, float* scratch, float* state
) noexcept nogil:
    """The i-th of the ranges that a tile touches; one that it does not leaves nothing seen."""
    cdef Py_ssize_t first = (tile.start // RANGE + i) * RANGE
    attend_range(w, tile, g, first, first + RANGE, scratch, state)


cdef void all_ranges(
    const Walk* w, const Tile* tile, Py_ssize_t g, float* scratch, Py_ssize_t scratch_floats,
    float* state,
) noexcept nogil:
    """All ranges of a tile one after the other."""
    cdef Py_ssize_t i, n_rows = tile.n_tokens * w.per_group
    one_range(w, tile, g, 0, scratch, state)
    for i in range(1, ranges_of(tile)):
        one_range(w, tile, g, i, scratch, scratch + scratch_floats)
        merge_states(w, n_rows, scratch + scratch_floats, state)
    finish(w, tile, g, state)


cdef void add_mass_of(
    const float* q,                # IN (E,)
    const unsigned char* keys,     # IN (n_blocks, G, B, row_bytes), from the head's first row
    Py_ssize_t block_bytes, Py_ssize_t row_bytes,
    const int* table, Py_ssize_t size, Py_ssize_t start, Py_ssize_t n_keys,
    Py_ssize_t width, float scale, float cap, dot_fn dot_f32,
    float* scores,                 # OUT (n_keys,)
    float* mass,                   # INOUT (n_keys,)
) noexcept nogil:
    """mass[j] += what one query of one head pays to key j: softmax(q k^T * scale)[j]."""
    cdef float top = -INFINITY, l = 0
    cdef Py_ssize_t j
    for j in range(start, n_keys):
        scores[j] = scale * dot_f32(
            keys + table[j // size] * block_bytes + j % size * row_bytes, q, width
        )
        if cap != 0:
            scores[j] = cap * tanhf(scores[j] / cap)
        top = max(top, scores[j])
    for j in range(start, n_keys):
        scores[j] = expf(scores[j] - top) if scores[j] != -INFINITY else 0
        l += scores[j]
    if l != 0:
        for j in range(start, n_keys):
            mass[j] += scores[j] / l


cpdef add_mass(
    const float[:, ::1] q,                      # IN (T, H * E)
    const unsigned char[:, :, :, ::1] keys,     # IN (n_blocks, G, B, row_bytes)
    Format format,
    const int[::1] sequences,                   # IN (T,)
    const int[:, ::1] block_tables,             # IN (N, M)
    const int[::1] lengths,                     # IN (T,)
    Py_ssize_t n_heads,                         # H
    float[:, ::1] scores,                       # OUT (T, at least the longest length) scratch
    float[:, ::1] mass,                         # INOUT of the same shape
    const int[::1] starts=None,
    float scale=0,
    float softcap=0,
    int n_threads=1,
):
    """Adds to mass[t, j] the attention that token t pays to key j of its sequence, over all heads.

    Arguments and errors as of ``attend``. H2O forgets by these sums, lessons draw them. Parallel
    over tokens.
    """
    cdef Py_ssize_t n_tokens = q.shape[0], n_groups = keys.shape[1], size = keys.shape[2]
    cdef Py_ssize_t width, t, h, row_bytes = keys.shape[3], head_bytes = size * keys.shape[3]
    cdef dot_fn dot_f32 = format.dot_f32
    cdef const unsigned char* k
    cdef const int* first = &starts[0] if starts is not None and starts.shape[0] else NULL
    width = check_query(q, keys, sequences, block_tables, lengths, n_heads, starts, n_threads)
    check_cache(keys, keys, format, width)
    for t in range(n_tokens):
        if lengths[t] > mass.shape[1]:
            raise ValueError(f"add_mass: token {t} sees {lengths[t]} keys of {mass.shape[1]}")
    if (mass.shape[0] != n_tokens or scores.shape[0] != n_tokens
            or scores.shape[1] != mass.shape[1]):
        raise ValueError(
            f"add_mass: scores ({scores.shape[0]}, {scores.shape[1]}), "
            f"mass ({mass.shape[0]}, {mass.shape[1]}), want both of {n_tokens} rows"
        )
    if n_tokens == 0 or keys.shape[0] == 0 or mass.shape[1] == 0:
        return
    scale = scale if scale != 0 else 1 / sqrtf(width)
    k = &keys[0, 0, 0, 0]
    n_threads = team(n_threads, keys_seen(lengths, starts) * n_heads * width)
    with nogil:
        for t in prange(n_tokens, num_threads=n_threads, schedule="dynamic"):
            for h in range(n_heads):
                add_mass_of(
                    &q[t, h * width], k + h * n_groups // n_heads * head_bytes,
                    n_groups * head_bytes, row_bytes, &block_tables[sequences[t], 0], size,
                    first[t] if first != NULL else 0, lengths[t],
                    width, scale, softcap, dot_f32, &scores[t, 0], &mass[t, 0],
                )


cdef Py_ssize_t keys_seen(const int[::1] lengths, const int[::1] starts) noexcept:
    """How many keys all tokens look at together."""
    cdef Py_ssize_t t, n = 0
    for t in range(lengths.shape[0]):
        n += lengths[t] - (starts[t] if starts is not None else 0)
    return n


cdef Py_ssize_t check_query(
    const float[:, ::1] q, const unsigned char[:, :, :, ::1] keys, const int[::1] sequences,
    const int[:, ::1] block_tables, const int[::1] lengths, Py_ssize_t n_heads,
    const int[::1] starts, int n_threads,
) except -1:
    """Queries, heads and tables fit each other and the cache; -> E."""
    cdef Py_ssize_t n_tokens = q.shape[0], n_groups = keys.shape[1], t
    if n_heads < 1 or q.shape[1] % n_heads or n_groups < 1 or n_heads % n_groups:
        raise ValueError(
            f"attend: {q.shape[1]} columns, "
            f"{n_heads} heads, {n_groups} key/value heads do not divide"
        )
    if sequences.shape[0] != n_tokens or lengths.shape[0] != n_tokens:
        raise ValueError(
            f"attend: {sequences.shape[0]} sequences, {lengths.shape[0]} lengths, {n_tokens} tokens"
        )
    if n_threads < 1:
        raise ValueError(f"attend: n_threads {n_threads}, want at least 1")
    check_tables(sequences, block_tables, lengths, keys.shape[0], keys.shape[2])
    if starts is not None:
        if starts.shape[0] != n_tokens:
            raise ValueError(f"attend: {starts.shape[0]} starts for {n_tokens} tokens")
        for t in range(n_tokens):
            if starts[t] < 0:
                raise ValueError(f"attend: token {t} starts at key {starts[t]}")
    return q.shape[1] // n_heads


cdef int check_tables(
    const int[::1] sequences, const int[:, ::1] block_tables, const int[::1] lengths,
    Py_ssize_t n_blocks, Py_ssize_t size,
) except -1:
    """Every block a token will read exists; a table's entries are looked at once, not per token."""
    cdef Py_ssize_t n_sequences = block_tables.shape[0], n_entries = block_tables.shape[1]
    cdef Py_ssize_t t, s, i, good
    for t in range(sequences.shape[0]):
        if not 0 <= sequences[t] < n_sequences:
            raise ValueError(
                f"attend: token {t} is of sequence {sequences[t]}, want 0 .. {n_sequences - 1}"
            )
        if lengths[t] < 0:
            raise ValueError(f"attend: token {t} sees {lengths[t]} keys")
    for s in range(n_sequences):
        good = 0
        for i in range(n_entries):
            if not 0 <= block_tables[s, i] < n_blocks:
                break
            good += 1
        for t in range(sequences.shape[0]):
            if sequences[t] == s and lengths[t] > good * size:
                raise ValueError(
                    f"attend: token {t} sees {lengths[t]} keys, but sequence {s} has {good} blocks "
                    f"of {size}"
                )
    return 0
