"""The whole network of every architecture in plain NumPy float64, from what its file says.

Owns: the order of the operations in each architecture, and what the keys of its metadata mean for
them. Must not know: the engine; it imports `oracle.py` and NumPy alone, and the row of `arch.py`
comes as an argument. Read before: `oracle.py`, `arch.py` (the fields of a row). Nothing is checked
here: the engine refuses what a file may not say, and this is what the rest means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minengine import oracle

Array = np.ndarray
GATES = {"silu": oracle.silu, "gelu": oracle.gelu}


def forward(
    row: Any, metadata: Mapping[str, Any], tensors: Mapping[str, Array], ids: Array, **options: Any
) -> Array:
    """Logits of a model of any architecture: ids (T,) -> (T, V).

    ``row`` is the architecture's of `arch.ARCHITECTURES`; ``metadata`` and ``tensors`` (by name,
    dequantized, in their shapes) are the file's. Options are the other fields of ``Network``.
    """
    return Network(row, metadata, tensors, **options).logits(ids)


@dataclass(frozen=True, eq=False)
class Network:
    """A model as its file has it.

    ``context`` is the most tokens a sequence will have, the model's own where None: by it long or
    short rotation factors are chosen. ``rounds`` names the matrices that fast mode multiplies by
    ``oracle.rounded`` activations (those of quantized formats); none of them is exact mode.
    """

    row: Any
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Array]
    context: int | None = None
    rounds: Collection[str] = ()

    def logits(self, ids: Array) -> Array:
        """``softcap(head(hidden) / logit_scale)``: (T,) -> (T, V). The head is ``output``, or the
        embedding where the file has none (tied).
        """
        head = "output" if "output.weight" in self.tensors else "token_embd"
        logits = self.product(self.hidden(ids), head) / self.scaled("logit_scale")
        if self.row.final_softcap is None:
            return logits
        return oracle.softcap(logits, self.key("final_logit_softcapping", self.row.final_softcap))

    def hidden(self, ids: Array) -> Array:
        """What the head reads: embedding, L layers, last norm: (T,) -> (T, D)."""
        x = oracle.embed(self.tensors["token_embd.weight"], ids) * self.scaled("embedding_scale")
        if self.row.embedding_scaled:
            x = x * np.sqrt(x.shape[1])
        for i in range(self.count("block_count")):
            x = self.layer(x, i)
        return self.norm(x, "output_norm")

    def layer(self, x: Array, i: int) -> Array:
        """One layer on a whole sequence: (T, D) -> (T, D).

            x = x + scale post_attention_norm(Wo attention(attn_norm(x)))
            x = x + scale post_ffw_norm(Wd (gate(Wg h) * (Wu h))),  h = ffn_norm(x)

        A norm whose weight the file does not have is no operation; the scale is 1 but in granite.
        """
        p, scale = f"blk.{i}.", self.scaled("residual_scale")
        a = self.product(self.attention(self.norm(x, f"{p}attn_norm"), i), f"{p}attn_output")
        x = x + scale * self.norm(a, f"{p}post_attention_norm")
        h = self.norm(x, f"{p}ffn_norm")
        if self.row.fused_gate:  # rows of the gate, then those of up
            gate, up = np.split(self.product(h, f"{p}ffn_up"), 2, axis=1)
        else:
            gate, up = self.product(h, f"{p}ffn_gate"), self.product(h, f"{p}ffn_up")
        y = self.product(GATES[self.row.gate](gate) * up, f"{p}ffn_down")
        return x + scale * self.norm(y, f"{p}post_ffw_norm")

    def attention(self, h: Array, i: int) -> Array:
        """What the heads of layer i gather, before Wo: (T, D) -> (T, H E)."""
        p, n, n_tokens = f"blk.{i}.", self.heads(), len(h)
        if f"{p}attn_qkv.weight" in self.tensors:  # rows of q, then k, then v
            widths = [n["H"] * n["E"], (n["H"] + n["G"]) * n["E"]]
            q, k, v = np.split(self.product(h, f"{p}attn_qkv"), widths, axis=1)
        else:
            q, k, v = (self.product(h, f"{p}{name}") for name in ("attn_q", "attn_k", "attn_v"))
        turned = []
        for y, norm in ((q, f"{p}attn_q_norm"), (k, f"{p}attn_k_norm")):
            # over each head or over all of them, as wide as the norm's weight is
            width = len(self.tensors.get(f"{norm}.weight", y.T))
            y = self.norm(y.reshape(n_tokens, -1, width), norm).reshape(n_tokens, -1, n["E"])
            turned.append(self.turn(y, i))
        window, v = self.window(i), v.reshape(n_tokens, -1, n["E"])
        mask = oracle.causal_mask(n_tokens, n_tokens, window=window)
        out = oracle.attention(*turned, v, mask, scale=self.attention_scale(), cap=self.score_cap())
        return out.reshape(n_tokens, -1)

    def turn(self, x: Array, i: int) -> Array:
        """rope as layer i does it, none where it does not rotate (NoPE): (T, heads, E)."""
        every = self.row.no_rope_every
        off = self.row.scales and not self.key("rope.scaling.finetuned", True)
        if off or (every and (i + 1) % every == 0):
            return x
        n_rot = self.count("rope.dimension_count", x.shape[2])
        frequencies, magnitude = self.rotation(n_rot, self.window(i) > 0)
        return oracle.rope(
            x, np.arange(len(x)), n_rot=n_rot, pairing=self.row.pairing,
            frequencies=frequencies, magnitude=magnitude,
        )  # fmt: skip

    def rotation(self, n_rot: int, windowed: bool) -> tuple[Array, float]:
        """Frequencies (n_rot / 2,) and magnitude, of the windowed layers or of the others."""
        base, window = self.key("rope.freq_base", 10000.0), self.row.window
        kind, magnitude = self.key("rope.scaling.type", "linear"), 1.0
        scale = self.key("rope.scaling.factor", self.key("rope.scale_linear", 1.0)) or 1.0
        scale = 1.0 if kind == "none" else scale
        attention_factor = self.key("rope.scaling.attn_factor", 1.0)
        if windowed and not (window.scaled and self.key("rope.freq_base_swa") is None):
            base = window.base or base
            base = self.key("rope.freq_base_swa", base) if window.own_base else base
            if window.scaled:
                return oracle.rope_frequencies(n_rot, base, scale=scale), attention_factor
            return oracle.rope_frequencies(n_rot, base), magnitude
        trained = self.count("context_length")
        original = self.count("rope.scaling.original_context_length", trained)
        past = "long" if (self.context or trained) > original else "short"
        factors = self.tensors.get(f"rope_factors_{past}.weight")
        factors = self.tensors.get("rope_freqs.weight", factors)
        if kind != "yarn":
            frequencies = oracle.rope_frequencies(n_rot, base, factors=factors, scale=scale)
            return frequencies, attention_factor
        turns = {
            name: self.key(f"rope.scaling.yarn_beta_{name}", default)
            for name, default in (("fast", 32.0), ("slow", 1.0))
        }
        frequencies = oracle.yarn_frequencies(
            n_rot, base, scale, original, factors=factors, **turns
        )
        return frequencies, attention_factor * oracle.yarn_magnitude(scale)

    def window(self, i: int) -> int:
        """How many tokens layer i sees, 0 for all: the pattern is a period, whose last layer sees
        all, or true for each layer that is windowed.
        """
        window = self.row.window
        if window is None:
            return 0
        size = self.count("attention.sliding_window", window.size)
        pattern = self.key("attention.sliding_window_pattern", window.period)
        if np.ndim(pattern):
            return size if pattern[i] else 0
        return size if pattern == 0 or i % pattern < pattern - 1 else 0

    def attention_scale(self) -> float:
        """Of scores: 1 / sqrt(E), but where the file says it and in the largest Gemmas."""
        n = self.heads()
        if self.row.odd_scale_layers == self.count("block_count"):
            return 1 / np.sqrt(n["D"] // n["H"])
        said = self.key("attention.scale", 0.0) if self.row.scales else 0.0
        return said or 1 / np.sqrt(n["E"])

    def score_cap(self) -> float:
        cap = self.row.attention_softcap
        return self.key("attn_logit_softcapping", cap) if cap else 0.0

    def scaled(self, name: str) -> float:
        """One of granite's factors; 1 in all other architectures."""
        return (self.key(name, 1.0) or 1.0) if self.row.scales else 1.0

    def heads(self) -> dict[str, int]:
        D, H = self.tensors["token_embd.weight"].shape[1], self.count("attention.head_count")
        G = self.count("attention.head_count_kv", H)
        return {"D": D, "H": H, "G": G, "E": self.count("attention.key_length", D // H)}

    def product(self, x: Array, name: str) -> Array:
        """``x weight^T + bias``, the activations rounded first where fast mode does so."""
        x = oracle.rounded(x) if f"{name}.weight" in self.rounds else x
        return oracle.matmul(x, self.tensors[f"{name}.weight"], self.tensors.get(f"{name}.bias"))

    def norm(self, x: Array, name: str) -> Array:
        """rms_norm, or x itself where the file has no such norm."""
        weight = self.tensors.get(f"{name}.weight")
        if weight is None:
            return x
        return oracle.rms_norm(x, weight, self.key("attention.layer_norm_rms_epsilon"))

    def key(self, name: str, default: Any = None) -> Any:
        """A value of the metadata under the architecture's prefix."""
        return self.metadata.get(f"{self.row.name}.{name}", default)

    def count(self, name: str, default: int | None = None) -> int:
        """A whole number; where the file has one for each layer they are all the same."""
        return int(np.ravel(self.key(name, default))[0])
