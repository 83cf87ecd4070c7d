"""Architectures: which tensors a model has, their shapes, and what its graph does differently; one
row each.

Owns: ARCHITECTURES. Must not know: files, kernels, caches. Read before: nothing; read after:
`model.py`, `graph.py`.

Shapes are products of the letters D (model width), H (query heads), G (key/value heads), E (head
width), F (feed-forward width), V (vocabulary), R (n_rot / 2), written out as in the file: (out,
in). A row is all that the loader and the graph know of an architecture; a new operation adds a
field here and one `if` in `graph.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weight:
    """One tensor an architecture has: its name without ``.weight``, its shape in letters, may it be
    absent.
    """

    name: str
    shape: tuple[str, ...]
    optional: bool = False
    suffix: str = "weight"


@dataclass(frozen=True)
class Architecture:
    """A row of ARCHITECTURES."""

    name: str  # general.architecture
    tensors: tuple[Weight, ...]  # once per model
    layer: tuple[Weight, ...]  # once per layer, named blk.N.<name>
    pairing: str  # which coordinates rope turns together: "norm" or "neox"
    gate: str = "silu"


LLAMA = Architecture(
    name="llama",
    pairing="norm",
    tensors=(
        Weight("token_embd", ("V", "D")),
        Weight("output_norm", ("D",)),
        Weight("output", ("V", "D"), optional=True),  # absent: the head is token_embd
        Weight("rope_freqs", ("R",), optional=True),  # divisors of the frequencies (Llama 3)
    ),
    layer=(
        Weight("attn_norm", ("D",)),
        Weight("attn_q", ("H*E", "D")),
        Weight("attn_k", ("G*E", "D")),
        Weight("attn_v", ("G*E", "D")),
        Weight("attn_output", ("D", "H*E")),
        Weight("ffn_norm", ("D",)),
        Weight("ffn_gate", ("F", "D")),
        Weight("ffn_up", ("F", "D")),
        Weight("ffn_down", ("D", "F")),
    ),
)

ARCHITECTURES = {"llama": LLAMA}
