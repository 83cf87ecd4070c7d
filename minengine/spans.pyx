"""Attention of a tile of queries over a range of keys: flash style, span by span.

Owns: the order in which attention adds, the tiles, the readable pair of products, the choice of the
fast one. Must not know: who checks the arguments, threads, who owns a block. Read before:
`attention.pyx` (how a cache lies in memory), `exponential.pxd`. Read after: `simd/attend.h`.

No score matrix of a whole text exists. Keys come in spans of 64 (token j of a sequence is in span j
// 64, wherever its block lies). For a query q and a span, with scores s_j = scale q . k_j,

    m = max_j s_j,   p_j = exp(s_j - m),   l = sum_j p_j,   o = sum_j p_j v_j.

Two such triples, of different keys, make one of both: m = max(m_1, m_2) and

    l = l_1 exp(m_1 - m) + l_2 exp(m_2 - m),   o = o_1 exp(m_1 - m) + o_2 exp(m_2 - m).

What attention gives is o / l. Spans are merged from left to right into a range of 256 keys, ranges
from left to right into the whole; ranges of a long text can be computed by different threads. Dao
et al. 2022, "FlashAttention", algorithm 1; Dao et al. 2023, "Flash-Decoding".

Rows. The query heads that share a key/value head are rows of one tile, and so are the queries of
neighbouring tokens: a key that came from memory meets all of them. A tile's tokens see different
numbers of keys; the scores that a token must not see are computed with the others and thrown away,
values it must not see never meet it.

Same bits. A score is summed in 16 lanes, element e in lane e mod 16, and the lanes in halves (l and
l + 8, then 4, 2, 1); l likewise over the keys of a span; o from the first key to the last. All of it
depends on the query and its keys alone: not on tiles, threads, other tokens, blocks, or on which
kernels run.
"""

import minengine.strips as strips

from libc.math cimport INFINITY, fmaf, tanhf
from libc.string cimport memcpy, memset

from minengine.exponential cimport exponential

cdef extern from "simd/spans.h" nogil:
    enum:
        N_VARIANTS
    ctypedef struct SpanKernels:
        const char* name
        Products floats, halves
    const SpanKernels* SPANS

cdef enum:
    MOST_KEYS_A_TILE = 16  # of kernels: so many scores more may be written behind the last row's


# The products -------------------------------------------------------------------------------------

cdef inline float add_lanes(float* lane) noexcept nogil:
    """The sum of 16 lanes, in halves."""
    cdef Py_ssize_t l
    for l in range(8):
        lane[l] += lane[l + 8]
    for l in range(4):
        lane[l] += lane[l + 4]
    return (lane[0] + lane[2]) + (lane[1] + lane[3])


cdef inline float top_lane(float* lane) noexcept nogil:
    """The greatest of 16 lanes, which are spent."""
    cdef Py_ssize_t l
    for l in range(8):
        lane[l] = lane[l] if lane[l] > lane[l + 8] else lane[l + 8]
    for l in range(4):
        lane[l] = lane[l] if lane[l] > lane[l + 4] else lane[l + 4]
    for l in range(2):
        lane[l] = lane[l] if lane[l] > lane[l + 2] else lane[l + 2]
    return lane[0] if lane[0] > lane[1] else lane[1]


cdef void readable_scores(
    const float* q,               # IN (n_rows, width), width in whole vectors of 16
    Py_ssize_t n_rows, Py_ssize_t width,
    const void* const* keys,      # IN n_keys rows of width floats
    const void* const* next,      # rows that are wanted soon after, as many
    Py_ssize_t n_keys,
    float* scores,                # OUT (n_rows, stride)
    Py_ssize_t stride,
) noexcept nogil:
    """scores[r, j] = q[r] . keys[j]"""
    cdef float lane[16]
    cdef Py_ssize_t r, j, e, l
    for r in range(n_rows):
        for j in range(n_keys):
            memset(lane, 0, sizeof(lane))
            for e in range(0, width, 16):
                for l in range(16):
                    lane[l] = fmaf(
                        q[r * width + e + l], (<const float*>keys[j])[e + l], lane[l]
                    )
            scores[r * stride + j] = add_lanes(lane)


cdef void readable_gather(
    const float* p,               # IN (n_rows, stride)
    Py_ssize_t n_rows, Py_ssize_t stride,
    const void* const* values,    # IN n_keys rows of width floats
    const void* const* next,      # rows that are wanted soon after, as many
    Py_ssize_t n_keys,
    float* out,                   # OUT (n_rows, width)
    Py_ssize_t width,
) noexcept nogil:
    """out[r] = sum_j p[r, j] values[j]"""
    cdef Py_ssize_t r, j, e, l
    memset(out, 0, n_rows * width * sizeof(float))
    for r in range(n_rows):
        for j in range(n_keys):
            for e in range(0, width, 16):
                for l in range(16):
                    out[r * width + e + l] = fmaf(
                        p[r * stride + j], (<const float*>values[j])[e + l],
                        out[r * width + e + l],
                    )


cdef Kernels kernels_of(variant) except *:
    """The products of a variant (`strips.choose`); None is the chosen one."""
    cdef Kernels found
    cdef int i
    found.floats.scores, found.floats.gather = readable_scores, readable_gather
    found.halves.scores, found.halves.gather = NULL, NULL
    if variant is None:
        return CHOSEN
    name = strips.choose(variant)
    for i in range(N_VARIANTS):
        if SPANS[i].name.decode() == name:
            found.floats, found.halves = SPANS[i].floats, SPANS[i].halves
    return found


cdef Kernels CHOSEN = kernels_of(strips.CHOSEN)


# A span -------------------------------------------------------------------------------------------

cdef float weigh(
    float* s,            # IN products q . k (SPAN,), OUT exp(score - m), 0 outside a .. b - 1
    int a, int b,
    float scale, float cap,
    float* top,          # OUT m, -inf where no score is greater
) noexcept nogil:
    """-> l"""
    cdef float lane[16]
    cdef float m, base
    cdef int i, l
    for i in range(SPAN):
        s[i] *= scale
    for i in range(a):
        s[i] = -INFINITY
    for i in range(b, SPAN):
        s[i] = -INFINITY
    if cap != 0:
        for i in range(a, b):
            s[i] = cap * tanhf(s[i] / cap)
    for l in range(16):
        lane[l] = s[l]
    for i in range(16, SPAN, 16):
        for l in range(16):
            lane[l] = s[i + l] if s[i + l] > lane[l] else lane[l]
    m = top_lane(lane)
    base = m if m != -INFINITY else 0
    for i in range(SPAN):
        s[i] = exponential(s[i] - base)
    for l in range(16):
        lane[l] = s[l]
    for i in range(16, SPAN, 16):
        for l in range(16):
            lane[l] += s[i + l]
    top[0] = m
    return add_lanes(lane)


cdef void merge(
    const float* o2, float m2, float l2,   # IN o (padded,)
    float* o, float* m, float* l,          # INOUT
    Py_ssize_t padded,
) noexcept nogil:
    """Keys that were seen, and more of them."""
    cdef float top = m2 if m2 > m[0] else m[0], old, new
    cdef Py_ssize_t e, i
    if l2 == 0:  # nothing seen, or nothing that counts
        return
    old = 1 if m[0] == top else exponential(m[0] - top)
    new = 1 if m2 == top else exponential(m2 - top)
    m[0] = top
    l[0] = l[0] * old + l2 * new
    for e in range(0, padded, 16):
        for i in range(16):
            o[e + i] = o[e + i] * old + o2[e + i] * new


cdef void rows_of(
    const Walk* w, const unsigned char* head, const int* table, Py_ssize_t first, Py_ssize_t n,
    bint in_place,
    float* room,           # (SPAN, padded) for rows as float32, where they are not read in place
    const void** rows,     # OUT (n,)
) noexcept nogil:
    """Where the rows first .. first + n - 1 of a sequence are."""
    cdef const unsigned char* row
    cdef Py_ssize_t i = 0, j, at, together
    while i < n:  # as many as lie together in a block
        at = (first + i) % w.size
        together = min(n - i, w.size - at)
        row = head + table[(first + i) // w.size] * w.block_bytes + at * w.row_bytes
        if not in_place and w.padded == w.width:
            w.to_f32(row, room + i * w.padded, together * w.width)
        for j in range(i, i + together):
            if in_place:
                rows[j] = row
                row += w.row_bytes
                continue
            if w.padded > w.width:
                w.to_f32(row, room + j * w.padded, w.width)
                row += w.row_bytes
            rows[j] = room + j * w.padded
        i += together


cdef inline Py_ssize_t start_of(const Walk* w, Py_ssize_t t) noexcept nogil:
    return w.starts[t] if w.starts != NULL else 0


# A tile -------------------------------------------------------------------------------------------
# A state is o (n_rows, padded), m (n_rows,), l (n_rows,).

cdef Py_ssize_t state_size(const Walk* w, Py_ssize_t n_rows) noexcept nogil:
    return n_rows * (w.padded + 2)


cdef Py_ssize_t scratch_size(const Walk* w, Py_ssize_t n_rows) noexcept nogil:
    """Floats that `attend_range` wants: q, o, m, l and scores of rows, a span's keys and values."""
    cdef Py_ssize_t rooms = 0 if w.in_place else 2 * SPAN * w.padded
    return n_rows * (2 * w.padded + 2 + SPAN) + MOST_KEYS_A_TILE + rooms


cdef void clear_state(const Walk* w, Py_ssize_t n_rows, float* state) noexcept nogil:
    cdef Py_ssize_t r
    memset(state, 0, state_size(w, n_rows) * sizeof(float))
    for r in range(n_rows):
        state[n_rows * w.padded + r] = -INFINITY


cdef void merge_states(
    const Walk* w, Py_ssize_t n_rows, const float* more, float* state
) noexcept nogil:
    """``state`` and the keys of ``more``, which come after its own."""
    cdef Py_ssize_t r, m = n_rows * w.padded, l = m + n_rows
    for r in range(n_rows):
        merge(
            more + r * w.padded, more[m + r], more[l + r],
            state + r * w.padded, state + m + r, state + l + r, w.padded,
        )


cdef void finish(const Walk* w, const Tile* tile, Py_ssize_t g, const float* state) noexcept nogil:
    """o / l to where the heads of a group belong; zeros for a query that saw nothing."""
    cdef Py_ssize_t r, e, t, h, n_rows = tile.n_tokens * w.per_group
    cdef const float* o
    cdef float* out
    cdef float l
    for r in range(n_rows):
        t = tile.first + r // w.per_group
        h = g * w.per_group + r % w.per_group
        o = state + r * w.padded
        out = w.out + (t * w.n_heads + h) * w.width
        l = state[n_rows * (w.padded + 1) + r]
        l = l if l != 0 else 1
        for e in range(w.width):
            out[e] = o[e] / l


cdef Tile tile_at(
    const Walk* w, Py_ssize_t first, Py_ssize_t n_tokens, Py_ssize_t most
) noexcept nogil:
    """The tokens from ``first`` on that are of one sequence, up to ``most`` of them."""
    cdef Tile tile
    cdef Py_ssize_t t = first
    tile.first, tile.start, tile.end = first, start_of(w, first), w.lengths[first]
    while t < n_tokens and t - first < most and w.sequences[t] == w.sequences[first]:
        tile.start = min(tile.start, start_of(w, t))
        tile.end = max(tile.end, <Py_ssize_t>w.lengths[t])
        t += 1
    tile.n_tokens = t - first
    return tile


cdef void attend_range(
    const Walk* w,
    const Tile* tile,
    Py_ssize_t g,                            # the key/value head
    Py_ssize_t start, Py_ssize_t end,        # keys
    float* scratch,                          # (scratch_size,)
    float* state,                            # OUT (state_size,)
) noexcept nogil:
    """All rows of a tile over the keys start .. end - 1."""
    cdef Py_ssize_t n_rows = tile.n_tokens * w.per_group, r, t, lo, hi
    cdef float* q = scratch
    cdef float* room = q + n_rows * w.padded
    clear_state(w, n_rows, state)
    for r in range(n_rows):
        t = tile.first + r // w.per_group
        memcpy(
            q + r * w.padded,
            w.q + (t * w.n_heads + g * w.per_group + r % w.per_group) * w.width,
            w.width * sizeof(float),
        )
        memset(q + r * w.padded + w.width, 0, (w.padded - w.width) * sizeof(float))
    if not w.in_place and w.padded > w.width:  # what stands behind a row's elements counts as 0
        memset(room, 0, (scratch_size(w, n_rows) - n_rows * w.padded) * sizeof(float))
    lo = max(start, tile.start)
    while lo < min(end, tile.end):
        hi = min(lo // SPAN * SPAN + SPAN, end, tile.end)
        attend_span(w, tile, g, q, lo, hi, room, state)
        lo = hi


cdef void attend_span(
    const Walk* w, const Tile* tile, Py_ssize_t g, const float* q, Py_ssize_t lo, Py_ssize_t hi,
    float* room, float* state,
) noexcept nogil:
    """All rows over the keys lo .. hi - 1 of one span."""
    cdef Py_ssize_t n_rows = tile.n_tokens * w.per_group, base = lo // SPAN * SPAN
    cdef Py_ssize_t i, r = 0, rows, t, a, b, m = n_rows * w.padded, l = m + n_rows
    cdef const void* keys[SPAN]
    cdef const void* values[SPAN]
    cdef bint halves = n_rows <= w.few, in_place = halves or w.in_place
    cdef const Products* products = &w.kernels.halves if halves else &w.kernels.floats
    cdef float* o = room                         # (n_rows, padded)
    cdef float* top = o + n_rows * w.padded      # (n_rows,)
    cdef float* total = top + n_rows             # (n_rows,)
    cdef float* p = total + n_rows               # (n_rows, SPAN), and what a last tile writes more
    cdef float* rows_room = p + n_rows * SPAN + MOST_KEYS_A_TILE
    cdef const int* table = w.tables + w.sequences[tile.first] * w.table_width
    rows_of(w, w.keys + g * w.head_bytes, table, lo, hi - lo, in_place, rows_room, keys)
    rows_of(
        w, w.values + g * w.head_bytes, table, lo, hi - lo, in_place, rows_room + SPAN * w.padded,
        values,
    )
    products.scores(q, n_rows, w.padded, keys, values, hi - lo, p + lo - base, SPAN)
    if halves and hi < tile.end:  # where they lie is known without reading them: they are next
        i = min(tile.end - hi, <Py_ssize_t>SPAN)
        rows_of(w, w.keys + g * w.head_bytes, table, hi, i, True, NULL, keys)
    while r < n_rows:  # rows that see the same keys go together
        t = tile.first + r // w.per_group
        a, b, rows = max(lo, start_of(w, t)), min(hi, <Py_ssize_t>w.lengths[t]), 0
        while (r + rows < n_rows and max(lo, start_of(w, t)) == a
               and min(hi, <Py_ssize_t>w.lengths[t]) == b):
            rows += w.per_group
            t += 1
        if a < b:
            for i in range(r, r + rows):
                total[i] = weigh(
                    p + i * SPAN, <int>(a - base), <int>(b - base), w.scale, w.cap, top + i
                )
            products.gather(
                p + r * SPAN + a - base, rows, SPAN, values + (a - lo), keys + (a - lo), b - a, o,
                w.padded,
            )
            for i in range(rows):
                merge(
                    o + i * w.padded, top[r + i], total[r + i],
                    state + (r + i) * w.padded, state + m + r + i, state + l + r + i, w.padded,
                )
        r += rows
