"""The graph: one forward pass for prefill and decode, one sequence or many, and every architecture.

Owns: the order of the operations, and the room for activations. Must not know: where weights come
from, who asked, how a token is chosen. Read before: `oracle.py` (layer, forward), `batch.py`,
`ops.pyx`, `attention.pyx`.

It is compiled for one reason: a layer calls some twenty operations, and in decoding each of them
takes less time than Python needs to call it. So arrays are bound to typed views once a pass, and
weights once a model; between operations there is no Python but the checks of their arguments.
"""

from weakref import WeakKeyDictionary

import numpy as np

from minengine.batch import Batch
from minengine.errors import RequestError
from minengine.kvcache import BlockPool
from minengine.model import Model, Tensor
from minengine.ops import gelu_mul, silu_mul

cimport minengine.attention as attention
cimport minengine.ops as ops
cimport minengine.strips as strips

from minengine.formats cimport Format
from minengine.integer cimport Activations

MODES = ("exact", "fast")
GATES = {"silu": silu_mul, "gelu": gelu_mul}


# What is bound once a model -----------------------------------------------------------------------

cdef class Matrix:
    """A `model.Tensor` as the loops take it."""

    cdef readonly str name
    cdef const unsigned char[:, ::1] data
    cdef const unsigned char[:, ::1] strips   # None where no copy was made
    cdef const float[::1] bias                # None where there is none
    cdef Format format
    cdef bint coded
    cdef Py_ssize_t n_rows

    def __init__(self, tensor, str name):
        self.name, self.format, self.n_rows = name, tensor.format, tensor.shape[0]
        self.data, self.strips, self.bias = tensor.data, tensor.strips, tensor.bias
        self.coded = tensor.format.has_codes


cdef class Layer:
    cdef Matrix attn_q, attn_k, attn_v, attn_output, ffn_gate, ffn_up, ffn_down
    # None where the architecture has no norm at this place
    cdef const float[::1] attn_norm, ffn_norm, attn_q_norm, attn_k_norm
    cdef const float[::1] post_attention_norm, post_ffw_norm

    def __init__(self, layer):
        self.attn_q, self.attn_k = Matrix(layer.attn_q, "attn_q"), Matrix(layer.attn_k, "attn_k")
        self.attn_v = Matrix(layer.attn_v, "attn_v")
        self.attn_output = Matrix(layer.attn_output, "attn_output")
        self.ffn_gate = Matrix(layer.ffn_gate, "ffn_gate")
        self.ffn_up = Matrix(layer.ffn_up, "ffn_up")
        self.ffn_down = Matrix(layer.ffn_down, "ffn_down")
        self.attn_norm, self.ffn_norm = layer.attn_norm, layer.ffn_norm
        self.attn_q_norm, self.attn_k_norm = layer.attn_q_norm, layer.attn_k_norm
        self.post_attention_norm = layer.post_attention_norm
        self.post_ffw_norm = layer.post_ffw_norm


cdef class Bound:
    """A model's weights and numbers."""

    cdef list layers
    cdef Matrix token_embd, output
    cdef const float[::1] output_norm
    cdef Py_ssize_t D, F, H, G, E, V
    cdef float eps, residual_scale, attention_scale, attention_softcap
    cdef str pairing, gate

    def __init__(self, model):
        h = model.hparams
        self.layers = [Layer(layer) for layer in model.layers]
        self.token_embd = Matrix(model.token_embd, "token_embd")
        self.output, self.output_norm = Matrix(model.output, "output"), model.output_norm
        self.D, self.H, self.G, self.E, self.V = h.D, h.H, h.G, h.E, h.V
        self.F = model.layers[0].ffn_gate.shape[0]
        self.eps, self.residual_scale = h.eps, h.residual_scale
        self.attention_scale, self.attention_softcap = h.attention_scale, h.attention_softcap
        self.pairing, self.gate = model.arch.pairing, model.arch.gate


BOUND = WeakKeyDictionary()  # Model -> Bound


cdef Bound bound(model):
    found = BOUND.get(model)
    if found is None:
        found = BOUND[model] = Bound(model)
    return found


# What is bound once a pass ------------------------------------------------------------------------

cdef class Pass:
    """T tokens on their way through the layers: the room for their activations, and how to compute.

    ``watch(what, layer)`` is called after every operation, if there is one (`forward`).
    """

    cdef Bound m
    cdef bint fast
    cdef int n_threads
    cdef object watch
    cdef Py_ssize_t layer
    cdef float[:, ::1] x, normed, out         # (T, D)
    cdef float[:, ::1] q, attended            # (T, H E)
    cdef float[:, ::1] k, v                   # (T, G E)
    cdef float[:, ::1] q_rows, k_rows         # the same memory as rows that a norm is over
    cdef float[:, ::1] gate, up               # (T, F)
    cdef Activations rounded
    cdef bint is_rounded
    cdef unsigned char[:, :, :, :, ::1] keys, values
    cdef Format cache_format
    cdef const int[::1] slots, sequences, lengths
    cdef const int[:, ::1] tables

    def __init__(self, Bound m, batch, cache, bint fast, int n_threads, watch):
        cdef Layer first = m.layers[0]
        n = len(batch.tokens)
        self.m, self.fast, self.n_threads, self.watch = m, fast, n_threads, watch
        self.x, self.normed, self.out = np.empty((3, n, m.D), np.float32)
        self.attended = np.empty((n, m.H * m.E), np.float32)
        q, k = np.empty((n, m.H * m.E), np.float32), np.empty((n, m.G * m.E), np.float32)
        self.q, self.k, self.v = q, k, np.empty_like(k)
        # over each head or over the whole row, as wide as the norm's weight
        if first.attn_q_norm is not None:
            self.q_rows = q.reshape(-1, first.attn_q_norm.shape[0])
        if first.attn_k_norm is not None:
            self.k_rows = k.reshape(-1, first.attn_k_norm.shape[0])
        self.gate, self.up = np.empty((2, n, m.F), np.float32)
        self.rounded = Activations.__new__(Activations)
        self.slots, self.sequences, self.lengths = batch.slots, batch.sequences, batch.lengths
        self.tables = batch.block_tables
        self.keys, self.values, self.cache_format = cache.keys, cache.values, cache.format

    cdef int did(self, str what) except -1:
        if self.watch is not None:
            self.watch(what, self.layer)
        return 0

    cdef int narrow(self, rows) except -1:
        """From here on only some of the tokens matter."""
        n = len(rows)
        self.x = np.asarray(self.x)[rows]
        self.attended = np.asarray(self.attended)[rows]
        self.normed, self.out = self.normed[:n], self.out[:n]
        self.gate, self.up = self.gate[:n], self.up[:n]
        return self.did("rows")


cdef class Turn:
    """The cosines and sines of a rotation, for each token."""

    cdef const float[:, ::1] cos, sin

    def __init__(self, rotation, positions):
        self.cos, self.sin = rotation.angles(positions)


def forward(
    model: Model,
    batch: Batch,
    cache: BlockPool,
    *,
    mode: str = "exact",
    n_threads: int = 1,
    mass: np.ndarray | None = None,
    hidden: bool = False,
    watch=None,
) -> np.ndarray:
    """Logits of the wanted tokens: float32 (R, V). Their keys and values are in the cache
    afterwards.

        x = embed(tokens)
        per layer:  x += Wo attention(rope(Wq h), rope(Wk h), Wv h), h = rms_norm(x)
                    x += Wd (silu(Wg h) * (Wu h)),                  h = rms_norm(x)
        logits = head(rms_norm(x))

    ``mode`` "exact" multiplies weights by float32 activations, "fast" by activations rounded to 8
    bits. ``hidden`` gives what the head reads in place of logits: float32 (R, D). An architecture's
    row adds norms, scales, caps and windows to that. ``mass`` float32 (T, longest length) gets what
    each token looked at: the attention it pays to each key of its sequence, added up over layers
    and heads. ``watch(what, layer)`` is called after every operation with its name and the number
    of its layer, and may look at a clock. A token's logits are the same bits however the tokens are
    cut into batches and however many threads compute them. RequestError where a token is outside
    the vocabulary or the cache was made for another model.
    """
    cdef Bound m
    cdef Layer layer
    cdef Pass p
    cdef float[:, ::1] logits
    check(model, batch, cache)
    h, m = model.hparams, bound(model)
    p = Pass(m, batch, cache, is_fast(mode), n_threads, watch)
    ops.embed(m.token_embd.data, m.token_embd.format, batch.tokens, p.x)
    scale(p.x, h.embedding_scale)
    p.did("embed")
    turns = {r: Turn(r, batch.positions) for r in set(model.rotations) if r is not None}
    starts = {w: batch.starts(w) for w in set(h.windows) if w}
    p.did("positions")
    for i, layer in enumerate(m.layers):
        p.layer = i
        attend(p, layer, turns.get(model.rotations[i]), starts.get(h.windows[i]), mass)
        if i == h.n_layers - 1:  # of the other tokens nothing but keys and values is needed
            p.narrow(batch.rows)
        multiply(p, p.attended, layer.attn_output, p.out, True)
        add(p, p.out, layer.post_attention_norm)
        feed_forward(p, layer)
        add(p, p.out, layer.post_ffw_norm)
    p.layer = h.n_layers
    normed = norm(p, m.output_norm)
    if hidden:
        return np.array(normed)
    found = np.empty((normed.shape[0], m.V), np.float32)
    logits = found
    multiply(p, normed, m.output, logits, True)
    scale(logits, 1 / h.logit_scale)
    if h.final_softcap:
        ops.softcap(logits, h.final_softcap)
    p.did("logits")
    return found


cdef int attend(Pass p, Layer layer, Turn turn, const int[::1] starts, mass) except -1:
    """What the heads gather for each token, before Wo: x (T, D) -> attended (T, H E).

    ``turn`` is the layer's rotation, None where it has none; ``starts``
    the first key that each token sees through the layer's window, None where it has none.
    """
    cdef Bound m = p.m
    cdef float[:, ::1] normed = norm(p, layer.attn_norm)
    cdef unsigned char[:, :, :, ::1] keys = p.keys[p.layer], values = p.values[p.layer]
    cdef Format format = p.cache_format
    multiply(p, normed, layer.attn_q, p.q, True)
    multiply(p, normed, layer.attn_k, p.k, False)
    multiply(p, normed, layer.attn_v, p.v, False)
    if layer.attn_q_norm is not None:
        ops.rms_norm(p.q_rows, layer.attn_q_norm, m.eps, p.q_rows)
        p.did("rms_norm")
    if layer.attn_k_norm is not None:
        ops.rms_norm(p.k_rows, layer.attn_k_norm, m.eps, p.k_rows)
        p.did("rms_norm")
    if turn is not None:
        ops.rope(p.q, turn.cos, turn.sin, m.H, m.pairing)
        ops.rope(p.k, turn.cos, turn.sin, m.G, m.pairing)
        p.did("rope")
    attention.store_kv(p.k, p.v, p.slots, format, keys, values, p.n_threads)
    p.did("store_kv")
    if mass is not None:
        attention.add_mass(
            p.q, keys, format, p.sequences, p.tables, p.lengths, m.H, np.empty_like(mass), mass,
            starts, m.attention_scale, m.attention_softcap, p.n_threads,
        )
        p.did("add_mass")
    attention.attend(
        p.q, keys, values, format, p.sequences, p.tables, p.lengths, m.H, p.attended,
        starts, m.attention_scale, m.attention_softcap, p.n_threads,
    )
    return p.did("attend")


cdef int feed_forward(Pass p, Layer layer) except -1:
    """``out = (silu(x Wg^T) * (x Wu^T)) Wd^T``, or gelu for silu: (T, D) -> (T, D)."""
    cdef float[:, ::1] normed = norm(p, layer.ffn_norm)
    multiply(p, normed, layer.ffn_gate, p.gate, True)
    multiply(p, normed, layer.ffn_up, p.up, False)
    if p.m.gate == "silu":
        ops.silu_mul(p.gate, p.up, p.gate, p.n_threads)
    else:
        ops.gelu_mul(p.gate, p.up, p.gate, p.n_threads)
    p.did(p.m.gate)
    return multiply(p, p.gate, layer.ffn_down, p.out, True)


cdef float[:, ::1] norm(Pass p, const float[::1] weight):
    """rms_norm(x), or x itself where the architecture has no norm at this place."""
    if weight is None:
        return p.x
    ops.rms_norm(p.x, weight, p.m.eps, p.normed)
    p.did("rms_norm")
    return p.normed


cdef int add(Pass p, float[:, ::1] y, const float[::1] weight) except -1:
    """The residual connection, in place: ``x += scale * y``, y normed first where a norm is."""
    if weight is not None:
        ops.rms_norm(y, weight, p.m.eps, y)
        p.did("rms_norm")
    scale(y, p.m.residual_scale)
    ops.add(p.x, y)
    return p.did("add")


cdef int scale(float[:, ::1] x, float factor) except -1:
    if factor != 1:
        ops.scale(x, factor)
    return 0


cdef int multiply(
    Pass p, float[:, ::1] x, Matrix weight, float[:, ::1] out, bint fresh
) except -1:
    """``out = x weight^T + bias``.

    In fast mode activations are rounded once for all matrices that read them (`strips.pyx`):
    ``fresh`` says that these are others than last time. Float formats stay exact.
    """
    if fresh:
        p.is_rounded = False
    if p.fast and weight.coded:
        if not p.is_rounded:
            strips.round_into(p.rounded, x, p.n_threads)
            p.is_rounded = True
            p.did("rounded")
        if weight.strips is not None:
            strips.matmul(p.rounded, weight.strips, weight.format, out, True, p.n_threads)
        else:
            strips.matmul(p.rounded, weight.data, weight.format, out, False, p.n_threads)
    else:
        ops.matmul(x, weight.data, weight.format, out, p.n_threads)
    if weight.bias is not None:
        ops.add_bias(out, weight.bias)
    return p.did(weight.name)


def product(x: np.ndarray, weight: Tensor, *, mode: str = "exact", n_threads: int = 1):
    """``x weight^T + bias`` as a forward pass computes it: float32 (T, n) -> (T, R)."""
    cdef Pass p = Pass.__new__(Pass)
    p.fast, p.n_threads, p.rounded = is_fast(mode), n_threads, Activations.__new__(Activations)
    out = np.empty((len(x), weight.shape[0]), np.float32)
    multiply(p, x, Matrix(weight, weight.name), out, True)
    return out


def is_fast(mode: str) -> bool:
    if mode not in MODES:
        raise RequestError(f"mode: got {mode!r}, want {' or '.join(MODES)}")
    return mode == "fast"


def check(model: Model, batch: Batch, cache: BlockPool) -> None:
    h = model.hparams
    want = (h.n_layers, h.G, cache.format.row_bytes(h.E))
    got = (cache.keys.shape[0], cache.keys.shape[2], cache.keys.shape[4])
    if got != want:
        raise RequestError(f"cache of (layers, heads, row bytes) {got}, the model wants {want}")
    bad = np.flatnonzero((batch.tokens < 0) | (batch.tokens >= h.V))
    if bad.size:
        raise RequestError(f"token {batch.tokens[bad[0]]} at {bad[0]}, want 0 .. {h.V - 1}")
