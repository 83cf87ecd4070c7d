"""Random models of any architecture, variant and format, as GGUF files that other engines load too.

Owns: what such a file must say, and VARIANTS: the ways in which files of one architecture differ.
Must not know: kernels, caches. For tests, benches and labs. Read before: `arch.py`,
`gguf_writer.py`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minengine import gguf_writer
from minengine.arch import ARCHITECTURES, Weight
from minengine.formats import FORMATS

SIZES = {"n_layers": 2, "D": 32, "H": 4, "G": 2, "E": 8, "F": 64, "V": 48}
CONTEXT = 64


@dataclass(frozen=True)
class Variant:
    """One kind of file: an architecture, options of `write`, and metadata under its prefix."""

    arch: str
    options: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)


def write(
    path: str | os.PathLike,
    arch: str = "llama",
    form: str = "F32",
    *,
    seed: int = 0,
    tied: bool = True,
    fused: bool = False,
    biases: bool = False,
    factors: tuple[str, ...] = (),
    keys: Mapping[str, Any] | None = None,
    change: Callable[[dict, dict], None] | None = None,
    **sizes: int,
) -> None:
    """Write a random model: matrices normal with variance 1 / width, norms near 1, biases small.

    ``fused`` puts q, k and v into one matrix; ``biases`` gives every matrix the bias it may have;
    ``factors`` names rotation factors to write. ``keys`` is more metadata, without the
    architecture's prefix. ``change(metadata, tensors)`` may break the model before it is written.
    The same arguments give the same bytes.
    """
    s, row = SIZES | sizes, ARCHITECTURES[arch]
    letters = s | {"R": (keys or {}).get("rope.dimension_count", s["E"]) // 2}
    maker = _Maker(np.random.default_rng(seed), form, letters, fused, biases, row.fused_gate)
    for w in row.tensors:
        if w.name in factors:
            maker.put(w.name, [letters["R"]], factor_values(w.name, letters["R"]))
        elif not w.optional or (w.name == "output" and not tied):
            maker.weight(w)
    for i in range(s["n_layers"]):
        for w in row.layer:
            maker.weight(w, f"blk.{i}.")
    pairs = metadata(arch, s)
    pairs |= {f"{arch}.{key}": value for key, value in (keys or {}).items()}
    if change:
        change(pairs, maker.tensors)
    gguf_writer.write(path, pairs, maker.tensors)


def factor_values(name: str, n: int) -> np.ndarray:
    """Divisors of the frequencies from 1 to 8, the short ones to the root of that."""
    values = np.geomspace(1.0, 8.0, n)
    return values**0.5 if "short" in name else values


@dataclass
class _Maker:
    """Draws the tensors of a model, in the order of its row."""

    rng: np.random.Generator
    form: str
    letters: Mapping[str, int]
    fused: bool
    biases: bool
    fused_gate: bool
    tensors: dict[str, tuple] = field(default_factory=dict)

    def put(self, name: str, shape: list[int], values: np.ndarray, suffix: str = "weight") -> None:
        label = self.form if len(shape) == 2 else "F32"
        self.tensors[f"{name}.{suffix}"] = (label, shape, FORMATS[label].quantize(values))

    def weight(self, w: Weight, prefix: str = "") -> None:
        """One tensor and its bias; fused ones in the place of their first part."""
        name, s = w.name, self.letters
        if (self.fused and name in ("attn_k", "attn_v")) or (
            self.fused_gate and name == "ffn_gate"
        ):
            return
        shape = [math.prod(s[k] for k in n.split("*")) for n in w.shape]
        if name == "ffn_up" and self.fused_gate:
            shape[0] *= 2
        if name == "attn_q" and self.fused:
            name, shape[0] = "attn_qkv", (s["H"] + 2 * s["G"]) * s["E"]
        if len(shape) == 1:
            self.put(prefix + name, shape, 1 + 0.1 * self.rng.standard_normal(shape))
            return
        values = self.rng.standard_normal(shape, np.float32) / np.float32(math.sqrt(shape[1]))
        self.put(prefix + name, shape, values)
        if w.bias and self.biases:
            values = 0.1 * self.rng.standard_normal(shape[0])
            self.put(prefix + name, shape[:1], values, "bias")


def metadata(arch: str, s: Mapping[str, int]) -> dict[str, Any]:
    """What a file of this architecture must say, for the sizes s."""
    pairs = {
        "general.architecture": arch,
        f"{arch}.block_count": s["n_layers"],
        f"{arch}.embedding_length": s["D"],
        f"{arch}.attention.head_count": s["H"],
        f"{arch}.attention.head_count_kv": s["G"],
        f"{arch}.attention.key_length": s["E"],
        f"{arch}.attention.value_length": s["E"],
        f"{arch}.feed_forward_length": s["F"],
        f"{arch}.context_length": CONTEXT,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{arch}.rope.freq_base": 10000.0,
        f"{arch}.rope.dimension_count": s["E"],
    }
    if ARCHITECTURES[arch].scales:
        scales = {"embedding_scale": 12.0, "residual_scale": 0.25, "logit_scale": 4.0}
        pairs |= {f"{arch}.{k}": v for k, v in scales.items()}
        pairs[f"{arch}.attention.scale"] = 0.5 / math.sqrt(s["E"])
    return pairs | vocabulary(s["V"])


def vocabulary(V: int) -> dict[str, Any]:
    """A SentencePiece vocabulary: unknown, BOS, EOS, the 256 bytes if they fit, then words."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256))]
    tokens = [*tokens, *(f"w{i}" for i in range(V))][:V]
    kinds = [2, 3, 3, *[6] * 256, *[1] * V][:V]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [-float(i) for i in range(V)],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


# name -> what is special. Contexts are CONTEXT long and the original ones shorter where scaled.
YARN = {
    "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 16,
}  # fmt: skip
LONG = {
    "rope.scaling.type": "longrope", "rope.scaling.original_context_length": 16,
    "rope.scaling.attn_factor": 1.19,
}  # fmt: skip
FACTORS = ("rope_factors_long", "rope_factors_short")
WINDOW = {"attention.sliding_window": 8}

VARIANTS = {
    "llama": Variant("llama"),
    "llama rope_freqs": Variant("llama", {"factors": ("rope_freqs",), "tied": False}),
    "llama linear": Variant("llama", {}, {"rope.scaling.factor": 4.0}),
    "llama yarn": Variant("llama", {}, YARN),
    "llama longrope": Variant("llama", {"factors": FACTORS}, LONG),
    "llama biases, fused": Variant("llama", {"biases": True, "fused": True}),
    "qwen2": Variant("qwen2", {"biases": True}),
    "qwen2 yarn, untied": Variant("qwen2", {"biases": True, "tied": False}, YARN),
    "qwen3": Variant("qwen3", {"E": 128}),
    "gemma": Variant("gemma"),
    "gemma2": Variant("gemma2", {"n_layers": 4}, WINDOW),
    "gemma3": Variant("gemma3", {"n_layers": 7}, {**WINDOW, "rope.freq_base": 1e6}),
    "gemma3 pattern 2, linear": Variant(
        "gemma3", {"n_layers": 4, "tied": False},
        {**WINDOW, "attention.sliding_window_pattern": 2, "rope.scaling.factor": 8.0,
         "final_logit_softcapping": 30.0},
    ),
    "phi3": Variant("phi3", {"fused": True, "tied": False}),
    "phi3 longrope, partial": Variant(
        "phi3", {"fused": True, "factors": FACTORS}, {**LONG, "rope.dimension_count": 48}
    ),
    "phi3 short factors": Variant(
        "phi3", {"fused": True, "factors": FACTORS},
        {**LONG, "rope.scaling.original_context_length": 4096},
    ),
    "smollm3": Variant("smollm3", {"n_layers": 4}),
    "granite": Variant("granite"),
    "granite no rope": Variant("granite", {"tied": False}, {"rope.scaling.finetuned": False}),
    "olmo2": Variant("olmo2", {"tied": False}),
    "olmo2 window, yarn": Variant("olmo2", {"tied": False, "n_layers": 4}, {**WINDOW, **YARN}),
}  # fmt: skip
