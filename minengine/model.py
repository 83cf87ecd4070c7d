"""A model: the tensors of a file bound to names, every shape checked.

Owns: which tensor serves which purpose. Must not know: kernels, caches, tokens, sampling. Read
before: `gguf.py`, `arch.py`, `hparams.py`, `formats.pyx`.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

import minengine.gguf as gguf
import minengine.hparams as hparams
from minengine.arch import ARCHITECTURES, Architecture, Weight
from minengine.errors import ModelError, Unsupported
from minengine.formats import FORMATS, Format
from minengine.hparams import Hparams, Rotation

FACTORS = ("rope_freqs", "rope_factors_long", "rope_factors_short")
# norms that a layer may lack; the graph asks whether they are None
NORMS = (
    "attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tensor:
    """A matrix as it lies in the file: raw blocks of a format, (out, row_bytes), and the shape they
    stand for.
    """

    name: str
    shape: tuple[int, int]
    format: Format
    data: np.ndarray = field(repr=False)  # uint8 (out, row_bytes), read-only, nothing copied
    bias: np.ndarray | None = field(
        default=None, repr=False
    )  # float32 (out,), added to the product
    # the same rows in strips (`repacking.py`), where a copy of them was made
    strips: np.ndarray | None = field(default=None, repr=False)

    def dequantize(self) -> np.ndarray:
        """The whole matrix, float32 (out, in): for tests, lessons and small models."""
        return self.format.dequantize(self.data)

    def rows(self, first: int, last: int) -> Tensor:
        """Rows first .. last - 1 as a matrix of their own; nothing is copied."""
        bias = None if self.bias is None else self.bias[first:last]
        shape = (last - first, self.shape[1])
        return Tensor(self.name, shape, self.format, self.data[first:last], bias)


@dataclass(frozen=True, eq=False)
class Model:
    """Tensors by purpose: ``token_embd``, ``output`` (the head), and ``layers[i].attn_q`` and so
    on.

    Matrices are Tensors; vectors (norm weights) are float32 arrays; what the architecture does not
    have is None. ``rotations[i]`` is how layer i rotates queries and keys.
    """

    file: gguf.File = field(repr=False)
    arch: Architecture = field(repr=False)
    hparams: Hparams
    token_embd: Tensor
    output_norm: np.ndarray = field(repr=False)
    output: Tensor
    layers: tuple[SimpleNamespace, ...] = field(repr=False)
    rotations: tuple[Rotation | None, ...] = field(repr=False)

    @classmethod
    def load(cls, source: str | os.PathLike | gguf.File, *, context: int | None = None) -> Model:
        """Bind the tensors of a file, or of the file at a path.

        ``context`` is the most tokens a sequence will have, the model's own unless given: models
        with long and short rotation factors choose by it.

        Raises Unsupported for an architecture, format or feature the engine does not have,
        ModelError for missing or extra tensors, wrong shapes and impossible numbers, and what
        `gguf.open` raises.
        """
        file = source if isinstance(source, gguf.File) else gguf.open(source)
        arch = _architecture(file)
        h = hparams.read(file, arch)
        binder = _Binder(file, h)
        top = {w.name: binder.bind(w, "") for w in arch.tensors}
        layers = tuple(binder.layer(arch, f"blk.{i}.") for i in range(h.n_layers))
        binder.refuse_extra()
        factors = {name: top.pop(name, None) for name in FACTORS}
        turned = hparams.rotations(
            file, arch, h, factors, min(context or h.context_length, h.context_length)
        )
        output = top.pop("output", None) or top["token_embd"]
        return cls(file, arch, h, output=output, layers=layers, rotations=turned, **top)

    @property
    def n_parameters(self) -> int:
        """Elements of all tensors."""
        return sum(math.prod(t.shape) for t in self.file.tensors.values())


def _architecture(file: gguf.File) -> Architecture:
    name = file.metadata.get("general.architecture")
    if not isinstance(name, str):
        raise ModelError(f"general.architecture is {name!r}, want a name such as 'llama'")
    if name not in ARCHITECTURES:
        raise Unsupported(f"architecture {name!r}; this engine has {', '.join(ARCHITECTURES)}")
    if hparams.Keys(file, name).count("expert_count", 0, least=0):
        raise Unsupported(f"{name} with a mixture of experts ({name}.expert_count)")
    return ARCHITECTURES[name]


class _Binder:
    """Takes tensors from the file one by one and knows at the end which were not wanted."""

    def __init__(self, file: gguf.File, hparams: Hparams) -> None:
        self.file, self.h, self.left = file, hparams, set(file.tensors)
        self.sizes = {k: getattr(hparams, k) for k in "DHGEFV"} | {"R": hparams.n_rot // 2}

    def layer(self, arch: Architecture, prefix: str) -> SimpleNamespace:
        """The tensors of one layer; fused ones are cut into the parts that the graph knows."""
        found, E = SimpleNamespace(**dict.fromkeys(NORMS)), self.h.E
        for weight in arch.layer:
            if weight.name == "ffn_gate" and arch.fused_gate:
                continue
            if weight.name == "ffn_up" and arch.fused_gate:
                both = self.bind(Weight("ffn_up", ("2*F", "D"), bias=weight.bias), prefix)
                found.ffn_gate = both.rows(0, self.h.F)
                found.ffn_up = both.rows(self.h.F, 2 * self.h.F)
            elif weight.name == "attn_q" and f"{prefix}attn_qkv.weight" in self.file.tensors:
                fused = self.bind(Weight("attn_qkv", ("H*E+2*G*E", "D"), bias=True), prefix)
                n, m = self.h.H * E, self.h.G * E
                found.attn_q = fused.rows(0, n)
                found.attn_k = fused.rows(n, n + m)
                found.attn_v = fused.rows(n + m, n + 2 * m)
            elif not hasattr(found, weight.name) or getattr(found, weight.name) is None:
                setattr(found, weight.name, self.bind(weight, prefix))
        return found

    def bind(self, weight: Weight, prefix: str) -> Tensor | np.ndarray | None:
        name = f"{prefix}{weight.name}.weight"
        info = self._take(name, weight.shape, weight.optional)
        if info is None:
            return None
        form = FORMATS[info.format]
        if len(weight.shape) == 1:  # small and read often: always float32
            return form.dequantize(info.data)
        bias = None
        if weight.bias:
            raw = self._take(f"{prefix}{weight.name}.bias", weight.shape[:1], optional=True)
            bias = raw and FORMATS[raw.format].dequantize(raw.data)
        data = info.data.reshape(info.shape[0], form.row_bytes(info.shape[1]))
        return Tensor(name, info.shape, form, data, bias)

    def _take(self, name: str, shape: tuple[str, ...], optional: bool) -> gguf.TensorInfo | None:
        """A tensor of the file, its shape and format checked."""
        info = self.file.tensors.get(name)
        if info is None:
            if optional:
                return None
            raise ModelError(f"tensor {name} is missing")
        self.left.discard(name)
        want = tuple(self._size(letters) for letters in shape)
        if info.shape != want:
            raise ModelError(f"{name}: shape {info.shape}, want {want} for {self._because(shape)}")
        if info.format not in FORMATS:
            raise Unsupported(f"{name}: format {info.format}; this engine has {', '.join(FORMATS)}")
        return info

    def _size(self, letters: str) -> int:
        """The number that "H*E+2*G*E" stands for."""
        products = (part.split("*") for part in letters.split("+"))
        return sum(math.prod(self.sizes.get(k) or int(k) for k in p) for p in products)

    def _because(self, shape: tuple[str, ...]) -> str:
        """What the wanted numbers come from, in words."""
        words = {
            "H*E": f"{self.h.H} heads of {self.h.E}",
            "G*E": f"{self.h.G} key/value heads of {self.h.E}",
            "H*E+2*G*E": f"{self.h.H} query and {self.h.G} key/value heads of {self.h.E}",
            "E": f"heads of {self.h.E}",
            "D": f"embedding_length {self.h.D}",
            "2*F": f"twice feed_forward_length {self.h.F}",
            "F": f"feed_forward_length {self.h.F}",
            "V": f"{self.h.V} tokens",
            "R": f"rope.dimension_count {self.h.n_rot}",
        }
        return ", ".join(words[n] for n in shape)

    def refuse_extra(self) -> None:
        if self.left:
            shown = ", ".join(sorted(self.left)[:3])
            raise ModelError(
                f"{len(self.left)} tensors that {self.h.architecture} does not have: {shown}"
            )
