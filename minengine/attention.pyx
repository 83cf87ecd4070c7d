"""The loops over the cache: store keys and values into blocks, attend over block tables.

Owns: how a cache of blocks is written and read. Must not know: who owns a block, tensor names,
sampling. Read before: `oracle.py` (attention), `kvcache.py` (blocks and tables), `formats.pyx`.

Layout. The keys of one layer are ``(n_blocks, G, B, row_bytes)``: block, key/value head, offset in
the block, and one row of E elements in the cache's format; the values likewise. So one head of one
block is contiguous (B E elements, 8 KiB for 32 tokens of 64 floats) and is read from first to last.
Token j of a sequence lies in block ``table[j // B]`` at offset ``j % B``; a *slot* is ``block * B +
offset``.

Flash style. Attention walks the blocks of a sequence once, keeping for a query the largest score so
far m, the sum l of exp(score - m) and the sum o of exp(score - m) v; when a block raises m, l and o
are scaled by exp(m_old - m_new). No score matrix exists. Dao et al. 2022, "FlashAttention",
algorithm 1; Kwon et al. 2023, "PagedAttention", section 4.1. The walk is in the order of the
sequence, wherever its blocks lie, so a block table's contents do not change a bit.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY, expf, sqrtf, tanhf
from libc.string cimport memset

from minengine.blocks cimport dequantize_fn, dot_fn
from minengine.formats cimport Format
from minengine.sums cimport CHUNK
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


def store_kv(
    const float[:, ::1] k,                # IN (T, G * E)
    const float[:, ::1] v,                # IN (T, G * E)
    const int[::1] slots,                 # IN (T,)
    Format format,
    unsigned char[:, :, :, ::1] keys,     # INOUT (n_blocks, G, B, row_bytes)
    unsigned char[:, :, :, ::1] values,   # INOUT (n_blocks, G, B, row_bytes)
    *,
    int n_threads=1,
):
    """Writes the key and value rows of T tokens into their slots, in the cache's format.

    ValueError where shapes differ or a slot lies outside the cache; nothing is written then. Slots
    differ from each other. Parallel over tokens.
    """
    cdef Py_ssize_t t, g, n_tokens = k.shape[0], n_groups = keys.shape[1], size = keys.shape[2]
    cdef Py_ssize_t width = k.shape[1] // max(n_groups, <Py_ssize_t>1)
    cdef Py_ssize_t block, offset
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
        for t in prange(n_tokens, num_threads=n_threads, schedule="static"):
            block = slots[t] // size
            offset = slots[t] % size
            for g in range(n_groups):
                format.from_f32(&k[t, g * width], &keys[block, g, offset, 0], width)
                format.from_f32(&v[t, g * width], &values[block, g, offset, 0], width)


cdef void add_scaled(
    float* out,                 # INOUT (E,)
    float p,
    const unsigned char* row,   # IN (row_bytes,)
    dequantize_fn to_f32,
    Py_ssize_t chunk_bytes,     # bytes of CHUNK elements
    Py_ssize_t width,           # E
) noexcept nogil:
    """out += p * row, the row in the cache's format."""
    cdef float v[CHUNK]
    cdef Py_ssize_t i = 0, j, m
    while i < width:
        m = min(width - i, <Py_ssize_t>CHUNK)
        to_f32(row, v, m)
        for j in range(m):
            out[i + j] += p * v[j]
        row += chunk_bytes
        i += CHUNK


cdef void attend_one(
    const float* q,                # IN (E,)
    const unsigned char* keys,     # IN (n_blocks, G, B, row_bytes), from the head's first row
    const unsigned char* values,   # IN likewise
    Py_ssize_t block_bytes,        # from one block to the next
    Py_ssize_t row_bytes,
    const int* table,              # IN the sequence's blocks
    Py_ssize_t size,               # B
    Py_ssize_t start,              # the first key it sees
    Py_ssize_t n_keys,             # one past the last
    Py_ssize_t width,              # E
    float scale,
    float cap,                     # of scores, 0 is none
    dot_fn dot_f32,
    dequantize_fn to_f32,
    Py_ssize_t chunk_bytes,
    float* out,                    # OUT (E,)
) noexcept nogil:
    """One query of one head over keys start .. n_keys - 1 of a sequence."""
    cdef float scores[MOST_TOKENS_A_BLOCK]
    cdef float m = -INFINITY, top, l = 0, p, shrink
    cdef Py_ssize_t first = start - start % size, skip = start % size, n, j, i
    cdef const unsigned char* k
    cdef const unsigned char* v
    memset(out, 0, width * sizeof(float))
    while first < n_keys:
        n = min(size, n_keys - first)
        k = keys + table[first // size] * block_bytes
        v = values + table[first // size] * block_bytes
        top = m
        for j in range(skip, n):
            scores[j] = dot_f32(k + j * row_bytes, q, width) * scale
            if cap != 0:
                scores[j] = cap * tanhf(scores[j] / cap)
            top = max(top, scores[j])
        if top > m:
            shrink = expf(m - top)  # 0 at the first block, where m is -inf
            l *= shrink
            for i in range(width):
                out[i] *= shrink
            m = top
        for j in range(skip, n):
            p = expf(scores[j] - m) if scores[j] != -INFINITY else 0  # a NaN goes through
            l += p
            add_scaled(out, p, v + j * row_bytes, to_f32, chunk_bytes, width)
        first += size
        skip = 0
    if l != 0:
        for i in range(width):
            out[i] /= l


def attend(
    const float[:, ::1] q,                      # IN (T, H * E)
    const unsigned char[:, :, :, ::1] keys,     # IN (n_blocks, G, B, row_bytes)
    const unsigned char[:, :, :, ::1] values,   # IN (n_blocks, G, B, row_bytes)
    Format format,
    const int[::1] sequences,                   # IN (T,) the row of block_tables of token t
    const int[:, ::1] block_tables,             # IN (N, M), -1 where a sequence has no more blocks
    const int[::1] lengths,                     # IN (T,) how many keys token t sees, with its own
    Py_ssize_t n_heads,                         # H
    float[:, ::1] out,                          # OUT (T, H * E)
    *,
    const int[::1] starts=None,                 # IN (T,) the first key token t sees; None is 0
    float scale=0,
    float softcap=0,
    int n_threads=1,
):
    """Causal grouped attention over paged keys and values: ``softmax(q k^T * scale) v``.

    Query head h reads key/value head h // (H / G). ``scale`` 0 means 1 / sqrt(E). ``softcap`` c
    makes a score s to c tanh(s / c), 0 is off. Token t sees keys starts[t] .. lengths[t] - 1 of its
    sequence, one that sees none gets zeros; keys before a start are not read. ValueError where
    shapes differ, a table names a block outside the cache, or a length reaches past its table.
    Parallel over tokens x heads.
    """
    cdef Py_ssize_t n_tokens = q.shape[0], n_groups = keys.shape[1], size = keys.shape[2]
    cdef Py_ssize_t width, job, row_bytes = keys.shape[3], head_bytes, block_bytes, chunk_bytes
    cdef dot_fn dot_f32 = format.dot_f32
    cdef dequantize_fn to_f32 = format.to_f32
    cdef const unsigned char* k
    cdef const unsigned char* v
    cdef const int* first = &starts[0] if starts is not None and starts.shape[0] else NULL
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
    scale = scale if scale != 0 else 1 / sqrtf(width)
    head_bytes = size * row_bytes
    block_bytes = n_groups * head_bytes
    chunk_bytes = <Py_ssize_t>CHUNK // format.block_size * format.block_bytes
    k, v = &keys[0, 0, 0, 0], &values[0, 0, 0, 0]
    n_threads = team(n_threads, 2 * keys_seen(lengths, starts) * n_heads * width)
    with nogil:
        for job in prange(
            n_tokens * n_heads, num_threads=n_threads, schedule="dynamic", chunksize=4
        ):
            attend_one(
                &q[job // n_heads, job % n_heads * width],
                k + job % n_heads * n_groups // n_heads * head_bytes,
                v + job % n_heads * n_groups // n_heads * head_bytes,
                block_bytes, row_bytes,
                &block_tables[sequences[job // n_heads], 0], size,
                first[job // n_heads] if first != NULL else 0, lengths[job // n_heads],
                width, scale, softcap, dot_f32, to_f32, chunk_bytes,
                &out[job // n_heads, job % n_heads * width],
            )


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


def add_mass(
    const float[:, ::1] q,                      # IN (T, H * E)
    const unsigned char[:, :, :, ::1] keys,     # IN (n_blocks, G, B, row_bytes)
    Format format,
    const int[::1] sequences,                   # IN (T,)
    const int[:, ::1] block_tables,             # IN (N, M)
    const int[::1] lengths,                     # IN (T,)
    Py_ssize_t n_heads,                         # H
    float[:, ::1] scores,                       # OUT (T, at least the longest length) scratch
    float[:, ::1] mass,                         # INOUT of the same shape
    *,
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
