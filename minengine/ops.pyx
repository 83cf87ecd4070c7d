"""The loops over weights and activations: embed, matmul, norm, rope, gates, add, softmax.

Owns: every such loop but attention's. Must not know: files, tensor names, caches, architectures.
Read before: `oracle.py` (what each operation means), `formats.pyx`, `sums.pxd`.

Each operation is a thin checked door over a `nogil` core, called from Python and, for less, from the
compiled graph. The caller allocates; outputs come last.
Shapes: T tokens, D model width, H heads, E head width, F feed-forward width, V vocabulary.

Loops that take time are parallel (a norm is not worth waking a thread for). They run over output
rows or tokens, never across a sum, so any number of threads gives the same bits; and a token's bits
do not depend on the other tokens of its batch.
"""

from cython.parallel cimport prange
from libc.math cimport INFINITY, expf, sqrtf, tanhf
from libc.string cimport memcpy, memset

from minengine.blocks cimport dequantize_fn, dot_fn
from minengine.exponential cimport exponential
from minengine.formats cimport Format
from minengine.sums cimport CHUNK, dot, dot_chunk
from minengine.threads cimport team

cdef enum:
    GATE_WORK = 4  # multiply-adds that a gate's element is worth, in a vector
    TILE = 64  # tokens per pass over the weights: TILE rows of x stay in the second-level cache


cdef int same(str what, Py_ssize_t got, str name, Py_ssize_t want) except -1:
    if got != want:
        raise ValueError(f"{what}: got {got}, want {name} = {want}")
    return 0


# Rows of a matrix ---------------------------------------------------------------------------------

cpdef embed(const unsigned char[:, ::1] table, Format format, const int[::1] ids, float[:, ::1] out):
    """Rows of the embedding table: raw (V, row_bytes), ids (T,) -> out (T, D).

    ValueError where shapes differ or an id is not in 0 .. V - 1 (nothing is written then).
    """
    cdef Py_ssize_t t, n_tokens = ids.shape[0], d_model = out.shape[1], n_vocab = table.shape[0]
    same("embed: rows of out", out.shape[0], "T", n_tokens)
    same("embed: bytes a row", table.shape[1], "bytes of D elements", format.row_bytes(d_model))
    for t in range(n_tokens):
        if not 0 <= ids[t] < n_vocab:
            raise ValueError(f"embed: token {ids[t]} at {t}, want 0 .. {n_vocab - 1}")
    if n_tokens == 0 or d_model == 0:
        return
    with nogil:
        for t in range(n_tokens):
            format.to_f32(&table[ids[t], 0], &out[t, 0], d_model)


cdef void row_times(
    const unsigned char* row,     # IN (row_bytes,)
    dequantize_fn to_f32,
    Py_ssize_t chunk_bytes,       # bytes of CHUNK elements
    const float* x,               # IN (T, n)
    Py_ssize_t n_tokens,
    Py_ssize_t n,
    float* out,                   # OUT (T,), one every `stride` floats
    Py_ssize_t stride,
) noexcept nogil:
    """out[t] = row . x[t], the row dequantized once for all tokens, in the order of `sums.dot`."""
    cdef float w[CHUNK]
    cdef Py_ssize_t i = 0, m, t
    for t in range(n_tokens):
        out[t * stride] = 0
    while i < n:
        m = min(n - i, <Py_ssize_t>CHUNK)
        to_f32(row, w, m)
        for t in range(n_tokens):
            out[t * stride] += dot_chunk(w, x + t * n + i, m)
        row += chunk_bytes
        i += CHUNK


cpdef matmul(
    const float[:, ::1] x,                # IN (T, n)
    const unsigned char[:, ::1] weight,   # IN (R, row_bytes)
    Format format,
    float[:, ::1] out,                    # OUT (T, R)
    int n_threads=1,
):
    """``out[t, r] = sum_i weight[r, i] x[t, i]``, the weights dequantized inside the sum (exact
    mode).

    ValueError where shapes differ. Parallel over the rows of the weight.
    """
    cdef Py_ssize_t n_tokens = x.shape[0], n = x.shape[1], n_rows = weight.shape[0]
    cdef Py_ssize_t n_tiles = (n_tokens + TILE - 1) // TILE
    cdef Py_ssize_t job, r, t, chunk_bytes, row_bytes = weight.shape[1]
    cdef const unsigned char* w
    cdef const float* a
    cdef float* y
    cdef dequantize_fn to_f32 = format.to_f32
    cdef dot_fn dot_f32 = format.dot_f32
    same("matmul: bytes a row of weight", row_bytes, "bytes of n elements", format.row_bytes(n))
    same("matmul: rows of out", out.shape[0], "T", n_tokens)
    same("matmul: columns of out", out.shape[1], "rows of weight", n_rows)
    if n_threads < 1:
        raise ValueError(f"matmul: n_threads {n_threads}, want at least 1")
    if n_tokens == 0 or n_rows == 0:
        return
    if n == 0:
        out[:, :] = 0
        return
    chunk_bytes = <Py_ssize_t>CHUNK // format.block_size * format.block_bytes
    w, a, y = &weight[0, 0], &x[0, 0], &out[0, 0]
    n_threads = team(n_threads, n_tokens * n_rows * n)
    with nogil:
        if n_tokens == 1:
            for r in prange(n_rows, num_threads=n_threads, schedule="static"):
                y[r] = dot_f32(w + r * row_bytes, a, n)
        else:  # one loop over (tile, row), so that threads meet once per product
            for job in prange(n_tiles * n_rows, num_threads=n_threads, schedule="static"):
                r = job % n_rows
                t = job // n_rows * TILE
                row_times(
                    w + r * row_bytes, to_f32, chunk_bytes,
                    a + t * n, min(n_tokens - t, <Py_ssize_t>TILE), n,
                    y + t * n_rows + r, n_rows,
                )


# Rows of activations ------------------------------------------------------------------------------

cpdef rms_norm(
    const float[:, ::1] x,       # IN (T, D)
    const float[::1] weight,     # IN (D,)
    float eps,
    float[:, ::1] out,           # OUT (T, D), may be x
):
    """``out = x / sqrt(mean(x^2) + eps) * weight`` over rows: (T, D), (D,) -> (T, D); out may be x.
    """
    cdef Py_ssize_t t, d, n_tokens = x.shape[0], n = x.shape[1]
    cdef float scale
    same("rms_norm: width of weight", weight.shape[0], "D", n)
    same("rms_norm: rows of out", out.shape[0], "T", n_tokens)
    same("rms_norm: width of out", out.shape[1], "D", n)
    if n == 0:
        return
    with nogil:
        for t in range(n_tokens):
            scale = 1 / sqrtf(dot(&x[t, 0], &x[t, 0], n) / n + eps)
            for d in range(n):
                out[t, d] = x[t, d] * scale * weight[d]


cdef void rotate(
    float* head, const float* cos, const float* sin, Py_ssize_t half, bint norm
) noexcept nogil:
    """Turns each pair (a, b) of one head: (a cos - b sin, a sin + b cos)."""
    cdef Py_ssize_t i, step = 2 if norm else 1, apart = 1 if norm else half
    cdef float a, b
    for i in range(half):
        a = head[i * step]
        b = head[i * step + apart]
        head[i * step] = a * cos[i] - b * sin[i]
        head[i * step + apart] = a * sin[i] + b * cos[i]


cpdef rope(
    float[:, ::1] x,                # INOUT (T, n_heads * E)
    const float[:, ::1] cos,        # IN (T, n_rot / 2)
    const float[:, ::1] sin,        # IN (T, n_rot / 2)
    Py_ssize_t n_heads,
    str pairing,
):
    """Rotary position embedding in place: each pair of coordinates of a head turns by its angle.

    ``pairing`` "norm" takes pairs (2i, 2i + 1), "neox" (i, i + n_rot / 2); coordinates from n_rot
    on stay. The caller computes the cosines and sines once per batch, in float64. Su et al. 2021,
    equation 34.
    """
    cdef Py_ssize_t t, h, n_tokens = x.shape[0], half = cos.shape[1], width
    cdef bint norm = pairing == "norm"
    if pairing not in ("norm", "neox"):
        raise ValueError(f"rope: pairing {pairing!r}, want 'norm' or 'neox'")
    if n_heads < 1 or x.shape[1] % n_heads:
        raise ValueError(f"rope: {x.shape[1]} columns do not divide into {n_heads} heads")
    width = x.shape[1] // n_heads
    if 2 * half > width:
        raise ValueError(f"rope: {half} pairs do not fit into heads of {width}")
    same("rope: rows of cos", cos.shape[0], "T", n_tokens)
    same("rope: rows of sin", sin.shape[0], "T", n_tokens)
    same("rope: pairs of sin", sin.shape[1], "pairs of cos", half)
    if half == 0:
        return
    with nogil:
        for t in range(n_tokens):
            for h in range(n_heads):
                rotate(&x[t, 0] + h * width, &cos[t, 0], &sin[t, 0], half, norm)


cdef inline float silu(float x) noexcept nogil:
    """x sigmoid(x)."""
    return x / (<float>1 + exponential(-x))


cdef inline float gelu(float x) noexcept nogil:
    """0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)."""
    return x / (<float>1 + exponential(
        <float>-1.5957691216057308 * x * (<float>1 + <float>0.044715 * x * x)
    ))


ctypedef float (*gate_fn)(float x) noexcept nogil


cdef inline void gate_row(
    gate_fn act,            # a constant in both callers, so the compiler builds it in
    const float* gate,      # IN (n,)
    const float* up,        # IN (n,)
    float* out,             # OUT (n,), may be gate or up
    Py_ssize_t n,
) noexcept nogil:
    """``out = act(gate) * up``; 16 at a time between copies, as out may be either."""
    cdef float x[16]
    cdef float y[16]
    cdef Py_ssize_t i, l, m
    memset(x, 0, sizeof(x))
    memset(y, 0, sizeof(y))
    for i in range(0, n, 16):
        m = min(n - i, <Py_ssize_t>16)
        memcpy(x, gate + i, m * sizeof(float))
        memcpy(y, up + i, m * sizeof(float))
        for l in range(16):
            x[l] = act(x[l]) * y[l]
        memcpy(out + i, x, m * sizeof(float))


cdef int check_gate(
    str what, const float[:, ::1] gate, const float[:, ::1] up, float[:, ::1] out, int n_threads
) except -1:
    if n_threads < 1:
        raise ValueError(f"{what}: n_threads {n_threads}, want at least 1")
    same(f"{what}: rows of up", up.shape[0], "T", gate.shape[0])
    same(f"{what}: width of up", up.shape[1], "F", gate.shape[1])
    same(f"{what}: rows of out", out.shape[0], "T", gate.shape[0])
    same(f"{what}: width of out", out.shape[1], "F", gate.shape[1])
    return 0


cpdef silu_mul(
    const float[:, ::1] gate,   # IN (T, F)
    const float[:, ::1] up,     # IN (T, F)
    float[:, ::1] out,          # OUT (T, F), may be gate or up
    int n_threads=1,
):
    """``out = silu(gate) * up`` with silu(x) = x / (1 + exp(-x)), elementwise on (T, F); out may be
    gate or up.
    """
    cdef Py_ssize_t t, n_tokens = gate.shape[0], n = gate.shape[1]
    cdef int n_used = team(n_threads, GATE_WORK * n_tokens * n)
    check_gate("silu_mul", gate, up, out, n_threads)
    if n == 0:
        return
    with nogil:
        if n_used == 1:
            for t in range(n_tokens):
                gate_row(silu, &gate[t, 0], &up[t, 0], &out[t, 0], n)
        else:
            for t in prange(n_tokens, num_threads=n_used, schedule="static"):
                gate_row(silu, &gate[t, 0], &up[t, 0], &out[t, 0], n)


cpdef gelu_mul(
    const float[:, ::1] gate,   # IN (T, F)
    const float[:, ::1] up,     # IN (T, F)
    float[:, ::1] out,          # OUT (T, F), may be gate or up
    int n_threads=1,
):
    """``out = gelu(gate) * up``, gelu in its tanh form, elementwise on (T, F); out may be gate or
    up. Hendrycks and Gimpel 2016, "GELUs", section 2; Shazeer 2020, "GLU Variants" (GEGLU).
    """
    cdef Py_ssize_t t, n_tokens = gate.shape[0], n = gate.shape[1]
    cdef int n_used = team(n_threads, GATE_WORK * n_tokens * n)
    check_gate("gelu_mul", gate, up, out, n_threads)
    if n == 0:
        return
    with nogil:
        if n_used == 1:
            for t in range(n_tokens):
                gate_row(gelu, &gate[t, 0], &up[t, 0], &out[t, 0], n)
        else:
            for t in prange(n_tokens, num_threads=n_used, schedule="static"):
                gate_row(gelu, &gate[t, 0], &up[t, 0], &out[t, 0], n)


cpdef add_bias(float[:, ::1] x, const float[::1] bias):
    """``x += bias`` on every row: (T, n), (n,)."""
    cdef Py_ssize_t t, i
    same("add_bias: width of bias", bias.shape[0], "n", x.shape[1])
    with nogil:
        for t in range(x.shape[0]):
            for i in range(x.shape[1]):
                x[t, i] += bias[i]


cpdef scale(float[:, ::1] x, float factor):
    """``x *= factor`` on (T, n)."""
    cdef Py_ssize_t t, i
    with nogil:
        for t in range(x.shape[0]):
            for i in range(x.shape[1]):
                x[t, i] *= factor


cpdef softcap(float[:, ::1] x, float cap):
    """``x = cap tanh(x / cap)`` on (T, n): near the identity for small x, never beyond the cap."""
    cdef Py_ssize_t t, i
    with nogil:
        for t in range(x.shape[0]):
            for i in range(x.shape[1]):
                x[t, i] = cap * tanhf(x[t, i] / cap)


cpdef add(float[:, ::1] x, const float[:, ::1] y):
    """``x += y`` on (T, D): the residual connection."""
    cdef Py_ssize_t t, d
    same("add: rows of y", y.shape[0], "T", x.shape[0])
    same("add: width of y", y.shape[1], "D", x.shape[1])
    with nogil:
        for t in range(x.shape[0]):
            for d in range(x.shape[1]):
                x[t, d] += y[t, d]


cdef void softmax_row(const float* x, float* out, Py_ssize_t n) noexcept nogil:
    cdef float top = x[0], total = 0
    cdef Py_ssize_t i
    for i in range(1, n):
        top = max(top, x[i])
    if top == -INFINITY:
        top = 0
    for i in range(n):
        out[i] = expf(x[i] - top)
        total += out[i]
    if total != 0:
        for i in range(n):
            out[i] /= total


def softmax(const float[:, ::1] x, float[:, ::1] out):
    """``out_i = exp(x_i - max x) / sum_j exp(x_j - max x)`` over rows (R, n); a row of -inf gives
    zeros; out may be x.
    """
    cdef Py_ssize_t r, n = x.shape[1]
    same("softmax: rows of out", out.shape[0], "R", x.shape[0])
    same("softmax: width of out", out.shape[1], "n", n)
    if n == 0:
        return
    with nogil:
        for r in range(x.shape[0]):
            softmax_row(&x[r, 0], &out[r, 0], n)
