"""Architectures: which tensors a model has, their shapes, and what its graph does differently; one
row each.

Owns: ARCHITECTURES. Must not know: files, kernels, caches. Read before: nothing; read after:
`hparams.py`, `model.py`, `graph.pyx`.

Shapes are products of the letters D (model width), H (query heads), G (key/value heads), E (head
width), F (feed-forward width), V (vocabulary), R (n_rot / 2), written out as in the file: (out,
in). A row is all that the loader and the graph know of an architecture; a new operation adds a
field here and one `if` in `graph.pyx`. Sources: the papers and published code of each family, and
llama.cpp's graphs, against whose logits every row is held (tests/golden).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weight:
    """One tensor an architecture has: its name without ``.weight``, its shape in letters, may it be
    absent, may a ``.bias`` of its out width come with it.
    """

    name: str
    shape: tuple[str, ...]
    optional: bool = False
    bias: bool = False


@dataclass(frozen=True)
class Window:
    """Layers that see the last ``size`` tokens alone: ``period - 1`` of them, then a dense one.

    ``size`` 0: only where the file says so. ``base`` is the rope base in these layers, None the
    same as in the others; ``own_base``: may the file give another; ``scaled``: is rope scaled
    there as in the others.
    """

    size: int
    period: int
    base: float | None = None
    own_base: bool = True
    scaled: bool = False


@dataclass(frozen=True)
class Architecture:
    """A row of ARCHITECTURES."""

    name: str  # general.architecture
    tensors: tuple[Weight, ...]  # once per model
    layer: tuple[Weight, ...]  # once per layer, named blk.N.<name>
    pairing: str  # which coordinates rope turns together: "norm" or "neox"
    gate: str = "silu"  # or "gelu"
    fused_gate: bool = False  # ffn_up holds the rows of the gate and then its own
    embedding_scaled: bool = False  # the embedding is multiplied by sqrt(D)
    scales: bool = False  # embedding, attention, residual and logit scales in the metadata
    window: Window | None = None
    attention_softcap: float = 0.0  # where the file does not say; 0 is none
    final_softcap: float | None = None  # likewise; None: the key means nothing here
    no_rope_every: int = 0  # every n-th layer does not rotate (NoPE)
    partial_rotary: bool = True  # may rope.dimension_count be less than E
    odd_scale_layers: int = 0  # a model of so many layers scales scores by 1 / sqrt(D / H)


def top(*, tied: bool | None = None, bias: bool = False) -> tuple[Weight, ...]:
    """Embedding, last norm and head; the head is the embedding always (tied), never, or if absent
    (None).
    """
    head = () if tied else (Weight("output", ("V", "D"), tied is None, bias),)
    return (
        Weight("token_embd", ("V", "D")),
        Weight("output_norm", ("D",)),
        *head,
        Weight("rope_freqs", ("R",), optional=True),  # divisors of the frequencies (Llama 3)
        Weight("rope_factors_long", ("R",), optional=True),  # likewise, past the original context
        Weight("rope_factors_short", ("R",), optional=True),  # and within it (Phi-3)
    )


def attention(*, bias: bool = False) -> tuple[Weight, ...]:
    """The four matrices of attention; q, k and v may come with biases in every architecture."""
    return (
        Weight("attn_q", ("H*E", "D"), bias=True),
        Weight("attn_k", ("G*E", "D"), bias=True),
        Weight("attn_v", ("G*E", "D"), bias=True),
        Weight("attn_output", ("D", "H*E"), bias=bias),
    )


def feed_forward(*, bias: bool = False) -> tuple[Weight, ...]:
    """The three matrices of a gated feed-forward part."""
    return (
        Weight("ffn_gate", ("F", "D"), bias=bias),
        Weight("ffn_up", ("F", "D"), bias=bias),
        Weight("ffn_down", ("D", "F"), bias=bias),
    )


PRE_NORMS = (Weight("attn_norm", ("D",)), Weight("ffn_norm", ("D",)))
POST_NORMS = (Weight("post_attention_norm", ("D",)), Weight("post_ffw_norm", ("D",)))
HEAD_NORMS = (Weight("attn_q_norm", ("E",)), Weight("attn_k_norm", ("E",)))
ROW_NORMS = (Weight("attn_q_norm", ("H*E",)), Weight("attn_k_norm", ("G*E",)))
PLAIN = (*PRE_NORMS, *attention(), *feed_forward())

ROWS = (
    Architecture(
        name="llama",
        pairing="norm",
        tensors=top(),
        layer=(*PRE_NORMS, *attention(bias=True), *feed_forward(bias=True)),
        partial_rotary=False,
    ),
    Architecture(name="qwen2", pairing="neox", tensors=top(bias=True), layer=PLAIN),
    Architecture(name="qwen3", pairing="neox", tensors=top(), layer=(*PLAIN, *HEAD_NORMS)),
    Architecture(
        name="gemma",
        pairing="neox",
        tensors=top(tied=True),
        layer=PLAIN,
        gate="gelu",
        embedding_scaled=True,
    ),
    Architecture(
        name="gemma2",
        pairing="neox",
        tensors=top(tied=True),
        layer=(*PLAIN, *POST_NORMS),
        gate="gelu",
        embedding_scaled=True,
        window=Window(4096, 2, scaled=True),
        attention_softcap=50.0,
        final_softcap=30.0,
        odd_scale_layers=46,
    ),
    Architecture(
        name="gemma3",
        pairing="neox",
        tensors=top(),
        layer=(*PLAIN, *HEAD_NORMS, *POST_NORMS),
        gate="gelu",
        embedding_scaled=True,
        window=Window(0, 6, base=10000.0),
        final_softcap=0.0,
        odd_scale_layers=62,
    ),
    Architecture(
        name="phi3",
        pairing="neox",
        tensors=top(),
        layer=(*PRE_NORMS, *attention(), *feed_forward()),
        fused_gate=True,
    ),
    Architecture(name="smollm3", pairing="norm", tensors=top(), layer=PLAIN, no_rope_every=4),
    Architecture(
        name="granite",
        pairing="norm",
        tensors=top(),
        layer=(*PRE_NORMS, *attention(bias=True), *feed_forward(bias=True)),
        scales=True,
    ),
    Architecture(
        name="olmo2",
        pairing="neox",
        tensors=top(tied=False),
        layer=(*attention(), *feed_forward(), *ROW_NORMS, *POST_NORMS),
        window=Window(0, 4, own_base=False),
    ),
)

ARCHITECTURES = {row.name: row for row in ROWS}
