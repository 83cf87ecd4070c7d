"""A model: the hyperparameters of a file and its tensors bound to names, every shape checked.

Owns: what metadata keys mean, which tensor serves which purpose. Must not know: kernels, caches,
tokens, sampling. Read before: `gguf.py`, `arch.py`, `formats.pyx`.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

import minengine.gguf as gguf
from minengine.arch import ARCHITECTURES, Architecture, Weight
from minengine.errors import ModelError, Unsupported
from minengine.formats import FORMATS, Format


@dataclass(frozen=True)
class Hparams:
    """The numbers of a model; one-letter names are the shape letters of the package."""

    architecture: str
    n_layers: int  # L
    D: int
    H: int
    G: int
    E: int
    F: int
    V: int
    context_length: int
    eps: float
    rope_base: float
    n_rot: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """A matrix as it lies in the file: raw blocks of a format, (out, row_bytes), and the shape they
    stand for.
    """

    name: str
    shape: tuple[int, int]
    format: Format
    data: np.ndarray = field(repr=False)  # uint8 (out, row_bytes), read-only, nothing copied

    def dequantize(self) -> np.ndarray:
        """The whole matrix, float32 (out, in): for tests, lessons and small models."""
        return self.format.dequantize(self.data)


@dataclass(frozen=True, eq=False)
class Model:
    """Tensors by purpose: ``token_embd``, ``output`` (the head), and ``layers[i].attn_q`` and so
    on.

    Matrices are Tensors; vectors (norm weights) are float32 arrays. ``frequencies`` is float64
    (n_rot / 2,).
    """

    file: gguf.File = field(repr=False)
    arch: Architecture = field(repr=False)
    hparams: Hparams
    token_embd: Tensor
    output_norm: np.ndarray = field(repr=False)
    output: Tensor
    layers: tuple[SimpleNamespace, ...] = field(repr=False)
    frequencies: np.ndarray = field(repr=False)

    @classmethod
    def load(cls, source: str | os.PathLike | gguf.File) -> Model:
        """Bind the tensors of a file, or of the file at a path.

        Raises Unsupported for an architecture, format or feature the engine does not have,
        ModelError for missing or extra tensors, wrong shapes and impossible numbers, and what
        `gguf.open` raises.
        """
        file = source if isinstance(source, gguf.File) else gguf.open(source)
        arch = _architecture(file)
        hparams = _hparams(file, arch)
        binder = _Binder(file, hparams)
        top = {w.name: binder.bind(w, "") for w in arch.tensors}
        layers = tuple(
            SimpleNamespace(**{w.name: binder.bind(w, f"blk.{i}.") for w in arch.layer})
            for i in range(hparams.n_layers)
        )
        binder.refuse_extra()
        divisors = top.pop("rope_freqs", None)
        output = top.pop("output") or top["token_embd"]
        frequencies = _frequencies(file, hparams, divisors)
        return cls(
            file, arch, hparams, output=output, layers=layers, frequencies=frequencies, **top
        )

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
    if file.metadata.get("split.count", 0) not in (0, 1):
        raise Unsupported(f"a file split into {file.metadata['split.count']} parts")
    if file.metadata.get(f"{name}.expert_count", 0):
        raise Unsupported(f"{name} with a mixture of experts ({name}.expert_count)")
    return ARCHITECTURES[name]


class _Keys:
    """Reads the metadata of one architecture, checking type and range."""

    def __init__(self, file: gguf.File, prefix: str) -> None:
        self.metadata, self.prefix = file.metadata, prefix

    def _value(self, key: str, default):
        key = f"{self.prefix}.{key}"
        if key not in self.metadata and default is None:
            raise ModelError(f"{key} is missing")
        return key, self.metadata.get(key, default)

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer below 2^31; one per layer is taken where all are the same."""
        key, value = self._value(key, default)
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "iu":
            if (value != value[0]).any():
                raise Unsupported(f"{key} that differs from layer to layer")
            value = int(value[0])
        if type(value) is not int or not 1 <= value < 2**31:
            raise ModelError(f"{key} is {value!r}, want a positive integer")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A finite float that is not negative."""
        key, value = self._value(key, default)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ModelError(f"{key} is {value!r}, want a finite number, 0 or more")
        return float(value)


def _hparams(file: gguf.File, arch: Architecture) -> Hparams:
    keys = _Keys(file, arch.name)
    D, H = keys.count("embedding_length"), keys.count("attention.head_count")
    G = keys.count("attention.head_count_kv", H)
    if H % G:
        raise ModelError(f"{H} query heads do not divide among {G} key/value heads")
    if D % H and f"{arch.name}.attention.key_length" not in file.metadata:
        raise ModelError(f"embedding_length {D} does not divide among {H} heads")
    E = keys.count("attention.key_length", max(D // H, 1))
    if keys.count("attention.value_length", E) != E:
        raise Unsupported(f"values of another width than keys ({arch.name}.attention.value_length)")
    n_rot = keys.count("rope.dimension_count", E)
    if n_rot % 2 or n_rot > E:
        raise ModelError(f"rope.dimension_count is {n_rot}, want an even number up to {E}")
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    V = len(tokens) if isinstance(tokens, gguf.Strings) else keys.count("vocab_size")
    base = keys.real("rope.freq_base", 10000.0)
    if base < 1:
        raise ModelError(f"{arch.name}.rope.freq_base is {base}, want at least 1")
    return Hparams(
        architecture=arch.name,
        n_layers=keys.count("block_count"),
        D=D,
        H=H,
        G=G,
        E=E,
        F=keys.count("feed_forward_length"),
        V=V,
        context_length=keys.count("context_length"),
        eps=keys.real("attention.layer_norm_rms_epsilon"),
        rope_base=base,
        n_rot=n_rot,
    )


def _frequencies(file: gguf.File, h: Hparams, divisors: np.ndarray | None) -> np.ndarray:
    """``base^(-2 i / n_rot)``, divided by the file's factors and its linear scaling: float64 (n_rot
    / 2,), radians.
    """
    prefix = f"{h.architecture}.rope.scaling."
    kind = file.metadata.get(prefix + "type", "linear")
    if kind not in ("none", "linear"):
        raise Unsupported(f"{prefix}type {kind!r}; this engine has none, linear")
    keys = _Keys(file, h.architecture)
    factor = keys.real("rope.scaling.factor", keys.real("rope.scale_linear", 1.0)) or 1.0
    frequencies = h.rope_base ** (-2.0 * np.arange(h.n_rot // 2) / h.n_rot)
    if kind == "linear":
        frequencies /= factor
    return frequencies if divisors is None else frequencies / divisors.astype(np.float64)


class _Binder:
    """Takes tensors from the file one by one and knows at the end which were not wanted."""

    def __init__(self, file: gguf.File, hparams: Hparams) -> None:
        self.file, self.h, self.left = file, hparams, set(file.tensors)
        self.sizes = {k: getattr(hparams, k) for k in "DHGEFV"} | {"R": hparams.n_rot // 2}

    def bind(self, weight: Weight, prefix: str) -> Tensor | np.ndarray | None:
        name = f"{prefix}{weight.name}.{weight.suffix}"
        info = self.file.tensors.get(name)
        if info is None:
            if weight.optional:
                return None
            raise ModelError(f"tensor {name} is missing")
        self.left.discard(name)
        want = tuple(math.prod(self.sizes[k] for k in n.split("*")) for n in weight.shape)
        if info.shape != want:
            raise ModelError(f"{name}: shape {info.shape}, want {want} for {self._because(weight)}")
        if info.format not in FORMATS:
            raise Unsupported(f"{name}: format {info.format}; this engine has {', '.join(FORMATS)}")
        form = FORMATS[info.format]
        if len(want) == 1:  # small and read often: always float32
            return form.dequantize(info.data)
        return Tensor(name, want, form, info.data.reshape(want[0], form.row_bytes(want[1])))

    def _because(self, weight: Weight) -> str:
        """What the wanted numbers come from, in words."""
        words = {
            "H*E": f"{self.h.H} heads of {self.h.E}",
            "G*E": f"{self.h.G} key/value heads of {self.h.E}",
            "D": f"embedding_length {self.h.D}",
            "F": f"feed_forward_length {self.h.F}",
            "V": f"{self.h.V} tokens",
            "R": f"rope.dimension_count {self.h.n_rot}",
        }
        return ", ".join(words[n] for n in weight.shape)

    def refuse_extra(self) -> None:
        if self.left:
            shown = ", ".join(sorted(self.left)[:3])
            raise ModelError(
                f"{len(self.left)} tensors that {self.h.architecture} does not have: {shown}"
            )
