"""The integer product in the processor's own instructions, on rows of the weight side by side.

Owns: which variant of `simd/` runs, how a weight is brought into strips of 16 rows, and the loops
over strips, chunks and tiles of tokens. Must not know: what a block holds (`simd/unpack.h`), tensor
names, the graph. Read before: `integer.pyx` (what is computed: the same bits), `simd/layout.h`.

A variant is chosen once, when this is imported: the best that the processor runs, or the one that
MINENGINE_SIMD names. "portable" is `integer.matmul`. The weight comes as it lies in the file, and
then its rows are laid side by side chunk by chunk on the way; or in strips already
(`interleave`): the same bytes in another order.

Memory is read in order, and which of it is asked for ahead is the processor's affair. Zen 4 sees
what comes next and fetches it by itself: strips come in at 95 % of the speed of reading alone, and
at 70 % where the kernels ask. Only what it cannot see is asked for: 16 rows of a file at once, each
a little further, and formats whose blocks are read here and there. On Zen 5 strips of most formats
come in at 80 to 100 % where every block is asked for, and at 34 to 94 % where none is. On Zen 3 and
Intel's Emerald Rapids most come in at 70 to 100 % where the kernels ask for a little with each 32
elements, and at 50 to 85 % where nobody does. MINENGINE_ASKS (``scattered``, ``all``, ``kernels``)
forces one of the three; the kernels of AVX2 ask always, those of NEON never.

Up to 4 tokens, or 8 where there are registers for them, a strip is unpacked into registers and
multiplied at once: what takes time is reading it. With more, a chunk of it is unpacked into a panel
in the first-level cache, which then meets all tokens: what takes time is multiplying, and memory is
asked meanwhile for the next chunk and for the lines of the result.
"""

import os

import minengine.integer as integer

from cython.parallel cimport prange
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from minengine.formats cimport Format
from minengine.integer cimport (
    GROUP_SIZE, TILE_TOKENS, Activations, Group, check, quantize_fn, quantize_row,
)
from minengine.threads cimport team

cdef extern from "simd/products.h" nogil:
    enum:
        STRIP_ROWS
        PANEL_GROUPS
        PANEL_BYTES
        FEW_TOKENS
        N_CUTS
        N_VARIANTS
    ctypedef struct Panel:
        pass
    ctypedef struct Cut:
        int id
        int block_size, block_bytes, scattered
    ctypedef void (*times_fn)(
        const uint8_t* strip, Py_ssize_t n_blocks, const Group* groups, int n_tokens, float* acc
    ) noexcept nogil
    ctypedef struct StripKernels:
        times_fn times, asking
        void (*unpack)(const uint8_t* strip, Py_ssize_t n_blocks, Panel* panel) noexcept nogil
        void (*multiply)(
            const Panel* panel, Py_ssize_t n_groups, const Group* groups, Py_ssize_t stride,
            int n_tokens, float* acc
        ) noexcept nogil
    ctypedef struct Variant:
        const char* name
        int few, asks
        void (*interleave)(
            const Cut* cut, const uint8_t* first, Py_ssize_t stride, Py_ssize_t n_blocks,
            uint8_t* strip
        ) noexcept nogil
        quantize_fn quantize
        const StripKernels* formats
        int (*read)(const uint8_t* p, Py_ssize_t n) noexcept nogil
        double (*dots)(Py_ssize_t n, int* sink) noexcept nogil
    const Cut* CUTS
    const Variant* VARIANTS
    int variant_runs(int i)
    int best_asks()
    void ask_for(bint near, const uint8_t* first, Py_ssize_t n)
    void ask_to_write(const float* to, Py_ssize_t stride, Py_ssize_t n)

cdef enum:
    TOKENS = 128          # that meet a panel, at most
    FEWEST = 32           # and at least, however long their rows are
    BLOCK_BYTES = 786432  # of groups: every strip reads them again, from the second-level cache
    CHUNK_GROUPS = 8      # 256 elements: of a strip brought together on the way, for few tokens
    PIECE = 1024          # elements of a strip that lie together, see `interleave`
    AHEAD = 7168          # bytes from what a kernel reads to what is asked for then
    FAR_BYTES = 262144    # of a weight, below which it may lie in a cache and is not asked for
    CHUNK_ROW = 16 * 34   # bytes of 512 elements in the widest format


def runs():
    """The names of the variants that this processor runs, the best first; "portable" is the last.
    """
    return (*(VARIANTS[i].name.decode() for i in range(N_VARIANTS) if variant_runs(i)), "portable")


def choose(name=None):
    """The variant of a name, or the best. ValueError for one that is not there."""
    known = runs()
    if name and name not in known:
        raise ValueError(f"MINENGINE_SIMD: got {name!r}, this processor runs {', '.join(known)}")
    return name or known[0]


def asks(name=None):
    """Which memory is asked for before few tokens meet it: blocks of "scattered" formats, "all"
    blocks, or a little at a time, within the "kernels"; what is best here where no name is given.
    ValueError for another.
    """
    known = ("scattered", "all", "kernels")  # in the order of products.h
    if name and name not in known:
        raise ValueError(f"MINENGINE_ASKS: got {name!r}, want {', '.join(known)}")
    return name or known[best_asks()]


CHOSEN = choose(os.environ.get("MINENGINE_SIMD"))
ASKS = asks(os.environ.get("MINENGINE_ASKS"))
cdef bint ALL_ASKED = ASKS == "all", KERNELS_ASK = ASKS == "kernels"


cdef const Variant* variant_of(name) except? NULL:
    """NULL is the portable one."""
    cdef int i
    if name is None:
        return BEST
    choose(name)
    for i in range(N_VARIANTS):
        if name == VARIANTS[i].name.decode():
            return &VARIANTS[i]
    return NULL


cdef const Variant* BEST = variant_of(CHOSEN)


cdef int cut_of(Format format) except -1:
    cdef int i
    for i in range(N_CUTS):
        if CUTS[i].id == format.ggml_id:
            return i
    raise ValueError(f"strips: {format.name} has no codes")


def rounded(const float[:, ::1] x, *, int n_threads=1, variant=None):
    """Activations of x (T, n), the same bits as `integer.Activations` gives."""
    cdef Activations found = Activations.__new__(Activations)
    round_into(found, x, n_threads, variant)
    return found


cpdef round_into(Activations found, const float[:, ::1] x, int n_threads=1, variant=None):
    """The same into activations that are there, whose room is used again where it is enough."""
    cdef const Variant* v = variant_of(variant)
    found.fill(x, quantize_row if v == NULL else v.quantize, n_threads)


def strip_rows(Py_ssize_t n_rows):
    """Rows of a weight in strips: a whole number of strips."""
    return (n_rows + STRIP_ROWS - 1) // STRIP_ROWS * STRIP_ROWS


def interleave(
    const unsigned char[:, ::1] weight,   # IN (R, row_bytes)
    Format format,
    unsigned char[:, ::1] out,            # OUT (R in whole strips, row_bytes)
    *,
    int n_threads=1,
    variant=None,
):
    """The weight in strips, as `matmul` reads it with ``interleaved``; every variant reads every
    other's. The last row stands in for those that are missing of the last strip.

    Strips lie in pieces of 1024 elements: the first piece of all strips, then the second of all. So
    few tokens meet memory in its order, and the activations that a piece meets stay in the
    first-level cache from one strip to the next; whole strips of 2048 push them out, and came in at
    75 % of the memory's speed in place of 95 %.

    ValueError where shapes differ, or for the portable variant, which reads no strips.
    """
    cdef const Variant* v = variant_of(variant)
    cdef int cut = cut_of(format)
    cdef Py_ssize_t s, n_rows = weight.shape[0], row_bytes = weight.shape[1]
    cdef Py_ssize_t n_strips = (n_rows + STRIP_ROWS - 1) // STRIP_ROWS
    cdef Py_ssize_t n_blocks = format.row_elements(row_bytes) // format.block_size
    if v == NULL:
        raise ValueError("interleave: the portable variant reads rows as they lie in the file")
    if out.shape[0] != strip_rows(n_rows) or out.shape[1] != row_bytes:
        raise ValueError(
            f"interleave: out ({out.shape[0]}, {out.shape[1]}), "
            f"want ({strip_rows(n_rows)}, {row_bytes})"
        )
    if n_rows == 0 or row_bytes == 0:
        return
    n_threads = team(n_threads, n_rows * row_bytes)
    with nogil:
        for s in prange(n_strips, num_threads=n_threads, schedule="static"):
            interleave_pieces(
                v, &CUTS[cut], &weight[s * STRIP_ROWS, 0], row_bytes, n_rows - s * STRIP_ROWS,
                n_blocks, s, n_strips, &out[0, 0],
            )


cdef inline Py_ssize_t piece_at(
    const Cut* cut, Py_ssize_t b, Py_ssize_t n_blocks, Py_ssize_t s, Py_ssize_t n_strips
) noexcept nogil:
    """Where block b of strip s begins, in bytes from the first strip."""
    cdef Py_ssize_t most = PIECE // cut.block_size, first = b // most * most
    cdef Py_ssize_t blocks = first * n_strips + s * min(n_blocks - first, most) + b - first
    return blocks * STRIP_ROWS * cut.block_bytes


cdef void interleave_pieces(
    const Variant* v, const Cut* cut, const uint8_t* rows, Py_ssize_t row_bytes, Py_ssize_t n_rows,
    Py_ssize_t n_blocks, Py_ssize_t s, Py_ssize_t n_strips, uint8_t* out,
) noexcept nogil:
    """Strip s, piece by piece to where each belongs."""
    cdef Py_ssize_t b = 0, m
    while b < n_blocks:
        m = min(n_blocks - b, <Py_ssize_t>PIECE // cut.block_size)
        interleave_strip(
            v, cut, rows + b * cut.block_bytes, row_bytes, n_rows, m,
            out + piece_at(cut, b, n_blocks, s, n_strips),
        )
        b += m


cdef void interleave_strip(
    const Variant* v, const Cut* cut, const uint8_t* first, Py_ssize_t row_bytes,
    Py_ssize_t n_rows, Py_ssize_t n_blocks, uint8_t* strip,
) noexcept nogil:
    """n_blocks of up to 16 rows, side by side."""
    cdef uint8_t rows_bytes[STRIP_ROWS * CHUNK_ROW]
    cdef Py_ssize_t b = 0, m, r, most = CHUNK_ROW // cut.block_bytes
    if n_rows >= STRIP_ROWS:
        v.interleave(cut, first, row_bytes, n_blocks, strip)
        return
    while b < n_blocks:  # the last strip of a weight: the last row again where rows are missing
        m = min(n_blocks - b, most)
        for r in range(STRIP_ROWS):
            memcpy(
                rows_bytes + r * m * cut.block_bytes,
                first + min(r, n_rows - 1) * row_bytes + b * cut.block_bytes,
                m * cut.block_bytes,
            )
        v.interleave(
            cut, rows_bytes, m * cut.block_bytes, m, strip + STRIP_ROWS * b * cut.block_bytes
        )
        b += m


cdef struct Weight:
    const Variant* variant
    const StripKernels* kernels
    const Cut* cut
    const uint8_t* data
    bint interleaved
    bint asked, within  # every block is asked for, into the nearest cache; the kernels ask
    Py_ssize_t row_bytes, n_rows, n, n_strips


cdef inline uint8_t* line(uint8_t* p) noexcept nogil:
    """The next whole cache line."""
    return <uint8_t*>(<size_t>p + 63 & ~<size_t>63)


cdef void few_times(
    const Weight* w,
    Py_ssize_t first, Py_ssize_t last,   # strips
    const Group* groups,                 # IN (n / 32, n_tokens)
    Py_ssize_t n_tokens,                 # up to variant.few
    float* out,                          # OUT (T, R)
) noexcept nogil:
    """out[t, r] = strip . activations[t] for some strips that are interleaved, piece by piece."""
    cdef uint8_t acc_bytes[FEW_TOKENS * STRIP_ROWS * 4 + 64]
    cdef float* acc = <float*>line(acc_bytes)
    cdef const uint8_t* here
    cdef Py_ssize_t per_block = w.cut.block_size // GROUP_SIZE
    cdef Py_ssize_t n_blocks = w.n // w.cut.block_size, b = 0, s, t, m, n_rows
    while b < n_blocks:
        m = min(n_blocks - b, <Py_ssize_t>PIECE // w.cut.block_size)
        here = w.data + piece_at(w.cut, b, n_blocks, first, w.n_strips)
        for s in range(first, last):
            n_rows = min(w.n_rows - s * STRIP_ROWS, <Py_ssize_t>STRIP_ROWS)
            memset(acc, 0, n_tokens * STRIP_ROWS * sizeof(float))
            if b > 0:
                for t in range(n_tokens):
                    memcpy(acc + t * STRIP_ROWS, out + t * w.n_rows + s * STRIP_ROWS,
                           n_rows * sizeof(float))
            piece_times(w, here, m, groups + b * per_block * n_tokens, n_tokens, acc)
            for t in range(n_tokens):
                memcpy(out + t * w.n_rows + s * STRIP_ROWS, acc + t * STRIP_ROWS,
                       n_rows * sizeof(float))
            # a piece follows the last; divisions would keep its first load waiting: Q8_0 came in
            # at 75 % of the speed of reading in place of 95 (Zen 4)
            here += m * STRIP_ROWS * w.cut.block_bytes
        b += m


cdef inline void piece_times(
    const Weight* w, const uint8_t* here, Py_ssize_t n_blocks, const Group* groups,
    Py_ssize_t n_tokens, float* acc,
) noexcept nogil:
    cdef Py_ssize_t i = 0, block = STRIP_ROWS * w.cut.block_bytes, m = n_blocks
    cdef bint asked = (w.asked or w.cut.scattered) and not w.within
    cdef times_fn times = w.kernels.asking if w.within else w.kernels.times
    if asked:
        # small blocks: as many as there are tokens, whose products pay for the calls
        m = n_tokens if w.cut.block_size == GROUP_SIZE else 1
    while i < n_blocks:
        m = min(m, n_blocks - i)
        if asked:
            ask_for(w.asked, here + AHEAD, m * block)
        times(here, m, groups, <int>n_tokens, acc)
        here += m * block
        groups += m * w.cut.block_size // GROUP_SIZE * n_tokens
        i += m


cdef Py_ssize_t tokens_at_once(Py_ssize_t n) noexcept nogil:
    """Tokens of n elements that meet a panel: whole tiles."""
    cdef Py_ssize_t row = n // GROUP_SIZE * <Py_ssize_t>sizeof(Group)
    cdef Py_ssize_t fit = BLOCK_BYTES // row // TILE_TOKENS * TILE_TOKENS
    return max(<Py_ssize_t>FEWEST, min(fit, <Py_ssize_t>TOKENS))


cdef void panel_times(
    const Weight* w,
    const Panel* panel,          # IN m groups from g on
    Py_ssize_t m,
    Py_ssize_t g,
    const Group* groups,         # IN tiles of (n / 32, up to 16 tokens)
    Py_ssize_t n_tokens,
    float* acc,                  # INOUT (T, 16)
    const uint8_t* ahead,        # what the next panel is made of,
    Py_ssize_t n_ahead,          # in bytes
    const float* out,            # where acc goes after this panel, or NULL
) noexcept nogil:
    """acc[t] += panel . activations[t], tile by tile; with each of them a share of the memory that
    is wanted next is asked for.
    """
    cdef Py_ssize_t t = 0, wide, n_groups = w.n // GROUP_SIZE
    cdef Py_ssize_t share = (n_ahead * TILE_TOKENS // n_tokens + 63) & ~<Py_ssize_t>63
    while t < n_tokens:
        wide = min(n_tokens - t, <Py_ssize_t>TILE_TOKENS)
        ask_for(w.asked, ahead, min(share, n_ahead))
        ahead += share
        n_ahead -= share
        if out != NULL:
            ask_to_write(out + t * w.n_rows, w.n_rows, wide)
        w.kernels.multiply(
            panel, m, groups + t * n_groups + g * wide, wide, <int>wide, acc + t * STRIP_ROWS
        )
        t += wide


cdef void strip_times(
    const Weight* w,
    Py_ssize_t s,                # which strip
    const Group* groups,         # IN tiles of (n / 32, up to 16 tokens)
    Py_ssize_t n_tokens,         # up to TOKENS
    float* out,                  # OUT (T, R), at this strip's first row and the first token
) noexcept nogil:
    """out[t, r] = strip . activations[t] for the rows r of one strip."""
    cdef uint8_t acc_bytes[TOKENS * STRIP_ROWS * 4 + 64]
    cdef uint8_t panel_bytes[PANEL_BYTES + 64]
    cdef uint8_t chunk_bytes[STRIP_ROWS * CHUNK_ROW + 64]
    cdef float* acc = <float*>line(acc_bytes)
    cdef Panel* panel = <Panel*>line(panel_bytes)
    cdef uint8_t* chunk = line(chunk_bytes)
    cdef Py_ssize_t per_block = w.cut.block_size // GROUP_SIZE, n_groups = w.n // GROUP_SIZE
    cdef Py_ssize_t n_rows = min(w.n_rows - s * STRIP_ROWS, <Py_ssize_t>STRIP_ROWS)
    cdef Py_ssize_t g = 0, m, t, step, end, n_blocks = w.n // w.cut.block_size
    cdef bint few = n_tokens <= w.variant.few
    cdef const uint8_t* data = w.data + s * STRIP_ROWS * w.row_bytes
    cdef const uint8_t* here
    cdef Py_ssize_t strip_bytes = STRIP_ROWS * w.row_bytes, step_bytes, next_bytes
    cdef const uint8_t* last = w.data + w.n_strips * strip_bytes
    memset(acc, 0, n_tokens * STRIP_ROWS * sizeof(float))
    step = CHUNK_GROUPS if few else PANEL_GROUPS
    step_bytes = strip_bytes * min(step, n_groups) // n_groups
    next_bytes = step_bytes if s + 1 < w.n_strips else 0
    while g < n_groups:
        m = min(n_groups - g, step)
        if w.interleaved:
            here = w.data + piece_at(w.cut, g // per_block, n_blocks, s, w.n_strips)
        else:
            # rows are read 16 at a time, each a little further: in this order memory is slow
            ask_for(w.asked, data + strip_bytes + strip_bytes * g // n_groups, next_bytes)
            interleave_strip(
                w.variant, w.cut, data + g // per_block * w.cut.block_bytes, w.row_bytes, n_rows,
                m // per_block, chunk,
            )
            here = chunk
        if few:
            w.kernels.times(here, m // per_block, groups + g * n_tokens, <int>n_tokens, acc)
        else:
            w.kernels.unpack(here, m // per_block, panel)
            end = g + m
            here = w.data + (
                piece_at(w.cut, end // per_block, n_blocks, s, w.n_strips) if end < n_groups
                else piece_at(w.cut, 0, n_blocks, s + 1, w.n_strips)
            )
            panel_times(
                w, panel, m, g, groups, n_tokens, acc, here,
                min(step_bytes, last - here) if w.interleaved else 0,
                out if end == n_groups else NULL,
            )
        g += m
    if n_rows == STRIP_ROWS:  # a size that the compiler knows: no calls
        for t in range(n_tokens):
            memcpy(out + t * w.n_rows, acc + t * STRIP_ROWS, STRIP_ROWS * sizeof(float))
        return
    for t in range(n_tokens):
        memcpy(out + t * w.n_rows, acc + t * STRIP_ROWS, n_rows * sizeof(float))


cpdef matmul(
    Activations x,                        # IN (T, n)
    const unsigned char[:, ::1] weight,   # IN (R, row_bytes)
    Format format,
    float[:, ::1] out,                    # OUT (T, R)
    bint interleaved=False,
    int n_threads=1,
    variant=None,
):
    """``out[t, r] = sum_i weight[r, i] x[t, i]``, the bits of `integer.matmul`.

    ``interleaved`` where `interleave` made the weight. ValueError where shapes differ or the format
    has no codes. Parallel over strips and blocks of tokens.
    """
    cdef Weight w
    cdef const Variant* v = variant_of(variant)
    cdef Py_ssize_t n_strips, n_blocks, at_once, job, s, t
    cdef Py_ssize_t n_tokens = x.n_tokens, n = x.n, n_rows = out.shape[1]
    cdef int cut
    if v == NULL:
        if interleaved:
            raise ValueError("matmul: the portable variant reads rows as they lie in the file")
        integer.matmul(x, weight, format, out, n_threads=n_threads)
        return
    n_strips = strip_rows(n_rows)
    check("matmul", x, weight, format, out, n_strips if interleaved else n_rows, n_threads)
    if n_tokens == 0 or n_rows == 0:
        return
    if n == 0:
        out[:, :] = 0
        return
    cut = cut_of(format)
    w.variant, w.kernels, w.cut = v, &v.formats[cut], &CUTS[cut]
    w.data, w.interleaved = &weight[0, 0], interleaved
    w.asked = ALL_ASKED and weight.shape[0] * weight.shape[1] >= FAR_BYTES
    w.within = KERNELS_ASK and v.asks and weight.shape[0] * weight.shape[1] >= FAR_BYTES
    w.row_bytes, w.n_rows, w.n = weight.shape[1], n_rows, n
    n_strips = w.n_strips = (n_rows + STRIP_ROWS - 1) // STRIP_ROWS
    # rows of a file are laid side by side again for each block: that costs more than it gives
    at_once = tokens_at_once(n) if interleaved else <Py_ssize_t>TOKENS
    n_blocks = (n_tokens + at_once - 1) // at_once
    n_threads = team(n_threads, n_tokens * n_rows * n)
    with nogil:
        if interleaved and n_tokens <= v.few and n_threads == 1:
            few_times(&w, 0, n_strips, x.data, n_tokens, &out[0, 0])
            n_blocks = 0
        elif interleaved and n_tokens <= v.few:
            for job in prange(n_threads, num_threads=n_threads, schedule="static"):
                few_times(
                    &w, job * n_strips // n_threads, (job + 1) * n_strips // n_threads,
                    x.data, n_tokens, &out[0, 0],
                )
            n_blocks = 0
        for job in prange(n_strips * n_blocks, num_threads=n_threads, schedule="static"):
            s = job % n_strips
            t = job // n_strips * at_once
            strip_times(
                &w, s, x.data + t * (n // GROUP_SIZE), min(n_tokens - t, at_once),
                &out[t, s * STRIP_ROWS],
            )


# Ceilings: what the loops above are measured against ----------------------------------------------

def read(const unsigned char[::1] memory, *, int n_threads=1, variant=None):
    """Read memory once, all of it but a rest below 1 KiB a thread -> bytes read: a ceiling for few
    tokens. The portable variant has no loop for it and reads nothing.
    """
    cdef const Variant* v = variant_of(variant)
    cdef Py_ssize_t i, part = memory.shape[0] // n_threads // 1024 * 1024
    cdef int seen = 0
    if v == NULL or part == 0:
        return 0
    with nogil:
        for i in prange(n_threads, num_threads=n_threads, schedule="static"):
            seen += v.read(&memory[i * part], part)
    return n_threads * part


def dots(Py_ssize_t n, *, int n_threads=1, variant=None):
    """n rounds of products of 8 bits in registers -> multiplications and additions done: a ceiling
    for many tokens. The portable variant has no loop for it and does none.
    """
    cdef const Variant* v = variant_of(variant)
    cdef Py_ssize_t i
    cdef int sink = 0
    cdef double done = 0
    if v == NULL:
        return 0
    with nogil:
        for i in prange(n_threads, num_threads=n_threads, schedule="static"):
            done += v.dots(n, &sink)
    return done
