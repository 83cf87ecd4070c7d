"""The numbers of a model, read from the metadata of its file and checked.

Owns: what metadata keys mean, their defaults, the rotation of each layer. Must not know: tensors'
data, kernels, caches. Read before: `gguf.py`, `arch.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

import minengine.gguf as gguf
from minengine.arch import Architecture
from minengine.errors import ModelError, Unsupported


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
    windows: tuple[int, ...] = ()  # of each layer: tokens it sees, its own included; 0 is all
    rotates: tuple[bool, ...] = ()  # of each layer: does it turn queries and keys
    attention_scale: float = 0.0  # of scores; 0 is 1 / sqrt(E)
    attention_softcap: float = 0.0  # scores become cap tanh(score / cap); 0 is off
    final_softcap: float = 0.0  # logits likewise
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    logit_scale: float = 1.0  # logits are divided by it


@dataclass(frozen=True, eq=False)
class Rotation:
    """How rope turns a layer's queries and keys: radians a position, and a factor on the result."""

    frequencies: np.ndarray = field(repr=False)  # float64 (n_rot / 2,)
    magnitude: float = 1.0

    def angles(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and sines, float32 (T, n_rot / 2), computed in float64: exact at any position."""
        angles = positions[:, None] * self.frequencies
        turned = (np.cos(angles) * self.magnitude, np.sin(angles) * self.magnitude)
        return turned[0].astype(np.float32), turned[1].astype(np.float32)


class Keys:
    """Reads the metadata of one architecture, checking type and range."""

    def __init__(self, file: gguf.File, prefix: str) -> None:
        self.metadata, self.prefix = file.metadata, prefix

    def has(self, key: str) -> bool:
        return f"{self.prefix}.{key}" in self.metadata

    def _value(self, key: str, default):
        key = f"{self.prefix}.{key}"
        if key not in self.metadata and default is None:
            raise ModelError(f"{key} is missing")
        return key, self.metadata.get(key, default)

    def count(self, key: str, default: int | None = None, least: int = 1) -> int:
        """An integer from ``least`` to 2^31; one per layer is taken where all are the same."""
        key, value = self._value(key, default)
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "iu":
            if (value != value[0]).any():
                raise Unsupported(f"{key} that differs from layer to layer")
            value = int(value[0])
        if type(value) is not int or not least <= value < 2**31:
            raise ModelError(f"{key} is {value!r}, want a positive integer")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        key, value = self._value(key, default)
        if not isinstance(value, bool):
            raise ModelError(f"{key} is {value!r}, want true or false")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        """A finite float that is not negative."""
        key, value = self._value(key, default)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ModelError(f"{key} is {value!r}, want a finite number, 0 or more")
        return float(value)

    def base(self, key: str, default: float) -> float:
        """The base of rotation frequencies: a finite float, 1 or more."""
        base = self.real(key, default)
        if base < 1:
            raise ModelError(f"{self.prefix}.{key} is {base}, want at least 1")
        return base


def read(file: gguf.File, arch: Architecture) -> Hparams:
    """The numbers of a file of this architecture. Errors: ModelError, Unsupported, by key."""
    keys = Keys(file, arch.name)
    D, H = keys.count("embedding_length"), keys.count("attention.head_count")
    G = keys.count("attention.head_count_kv", H)
    if H % G:
        raise ModelError(f"{H} query heads do not divide among {G} key/value heads")
    if D % H and not keys.has("attention.key_length"):
        raise ModelError(f"embedding_length {D} does not divide among {H} heads")
    E = keys.count("attention.key_length", max(D // H, 1))
    if keys.count("attention.value_length", E) != E:
        raise Unsupported(f"values of another width than keys ({arch.name}.attention.value_length)")
    n_rot = keys.count("rope.dimension_count", E)
    if n_rot % 2 or n_rot > E or (n_rot != E and not arch.partial_rotary):
        want = f"an even number up to {E}" if arch.partial_rotary or n_rot % 2 else f"{E}"
        raise ModelError(f"rope.dimension_count is {n_rot}, want {want}")
    tokens = file.metadata.get("tokenizer.ggml.tokens")
    V = len(tokens) if isinstance(tokens, gguf.Strings) else keys.count("vocab_size")
    n_layers = keys.count("block_count")
    if f"blk.{n_layers - 1}.attn_output.weight" not in file.tensors:  # before a list of 2^31 layers
        first = next(
            i for i in range(n_layers) if f"blk.{i}.attn_output.weight" not in file.tensors
        )
        raise ModelError(f"tensor blk.{first}.attn_output.weight is missing")
    return Hparams(
        architecture=arch.name,
        n_layers=n_layers,
        D=D,
        H=H,
        G=G,
        E=E,
        F=keys.count("feed_forward_length"),
        V=V,
        context_length=keys.count("context_length"),
        eps=keys.real("attention.layer_norm_rms_epsilon"),
        rope_base=keys.base("rope.freq_base", 10000.0),
        n_rot=n_rot,
        windows=_windows(file, keys, arch, n_layers),
        rotates=_rotates(keys, arch, n_layers),
        **_scales(keys, arch, D, H, n_layers),
    )


def _windows(file: gguf.File, keys: Keys, arch: Architecture, n_layers: int) -> tuple[int, ...]:
    """How many tokens each layer sees. The pattern is a period, or true for each layer that is
    windowed.
    """
    if arch.window is None:
        return (0,) * n_layers
    size = keys.count("attention.sliding_window", arch.window.size, least=0)
    pattern = file.metadata.get(f"{arch.name}.attention.sliding_window_pattern")
    if isinstance(pattern, np.ndarray):
        if pattern.size != n_layers:
            raise ModelError(
                f"{arch.name}.attention.sliding_window_pattern: {pattern.size} values "
                f"for {n_layers} layers"
            )
        return tuple(size if on else 0 for on in pattern)
    period = keys.count("attention.sliding_window_pattern", arch.window.period, least=0)
    return tuple(size if not period or i % period < period - 1 else 0 for i in range(n_layers))


def _rotates(keys: Keys, arch: Architecture, n_layers: int) -> tuple[bool, ...]:
    on = not arch.scales or keys.flag("rope.scaling.finetuned", True)
    every = arch.no_rope_every
    return tuple(on and not (every and (i + 1) % every == 0) for i in range(n_layers))


def _scales(keys: Keys, arch: Architecture, D: int, H: int, n_layers: int) -> dict[str, float]:
    """Factors and caps; a factor of 0 in the file means none."""
    found = {}
    if arch.embedding_scaled:
        found["embedding_scale"] = math.sqrt(D)
    if arch.scales:
        found["embedding_scale"] = keys.real("embedding_scale", 1.0) or 1.0
        found["residual_scale"] = keys.real("residual_scale", 1.0) or 1.0
        found["attention_scale"] = keys.real("attention.scale", 0.0)
        found["logit_scale"] = keys.real("logit_scale") or 1.0
    if arch.odd_scale_layers == n_layers:
        if D < H:
            raise ModelError(f"embedding_length {D} does not divide among {H} heads")
        found["attention_scale"] = 1 / math.sqrt(D // H)
    if arch.attention_softcap:
        found["attention_softcap"] = keys.real("attn_logit_softcapping", arch.attention_softcap)
    if arch.final_softcap is not None:
        found["final_softcap"] = keys.real("final_logit_softcapping", arch.final_softcap)
    return found


# Rotations ----------------------------------------------------------------------------------------

SCALINGS = ("none", "linear", "yarn", "longrope")


@np.errstate(over="ignore", invalid="ignore")  # what comes of it is checked
def rotations(
    file: gguf.File,
    arch: Architecture,
    h: Hparams,
    factors: dict[str, np.ndarray | None],
    context: int,
) -> tuple[Rotation | None, ...]:
    """The rotation of each layer, None where it does not rotate.

    ``theta_i = base^(-2 i / n_rot) / factor_i``, scaled as the file says. ``factors`` has the
    tensors rope_freqs, rope_factors_long and rope_factors_short; long ones are for contexts past
    the original one, whatever the position. Errors: Unsupported for an unknown scaling.
    """
    keys, prefix = Keys(file, arch.name), f"{arch.name}.rope.scaling."
    kind = file.metadata.get(prefix + "type", "linear")
    if not isinstance(kind, str) or kind not in SCALINGS:
        raise Unsupported(f"{prefix}type {kind!r}; this engine has {', '.join(SCALINGS)}")
    original = keys.count("rope.scaling.original_context_length", h.context_length)
    past = "rope_factors_long" if context > original else "rope_factors_short"
    divisors = factors.get("rope_freqs")
    divisors = factors.get(past) if divisors is None else divisors
    scale = keys.real("rope.scaling.factor", keys.real("rope.scale_linear", 1.0)) or 1.0
    scale = 1.0 if kind == "none" else scale
    magnitude = keys.real("rope.scaling.attn_factor", 1.0)
    plain = h.rope_base ** (-2.0 * np.arange(h.n_rot // 2) / h.n_rot)
    if divisors is not None:
        if not (np.isfinite(divisors) & (divisors > 0)).all():
            raise ModelError("rotation factors: want positive finite numbers")
        plain = plain / divisors.astype(np.float64)
    if kind == "yarn":
        dense = Rotation(
            yarn(plain, scale, h.n_rot, h.rope_base, original, keys),
            magnitude * (1 + 0.1 * math.log(max(scale, 1.0))),
        )
    else:
        dense = Rotation(plain / scale, magnitude)
    windowed, window = dense, arch.window
    if window is not None and not (window.scaled and not keys.has("rope.freq_base_swa")):
        own = window.base or h.rope_base
        own = keys.base("rope.freq_base_swa", own) if window.own_base else own
        own = own ** (-2.0 * np.arange(h.n_rot // 2) / h.n_rot)
        windowed = Rotation(own / scale, magnitude) if window.scaled else Rotation(own)
    for turned in (dense, windowed):
        if not np.isfinite([*turned.frequencies, turned.magnitude]).all():
            raise ModelError(f"{prefix}factor is {scale}: frequencies that are no finite numbers")
    return tuple(
        (windowed if size else dense) if on else None
        for size, on in zip(h.windows, h.rotates, strict=True)
    )


def yarn(
    plain: np.ndarray, scale: float, n_rot: int, base: float, original: int, keys: Keys
) -> np.ndarray:
    """Frequencies by YaRN: fast ones as they are, slow ones divided by the scale, a ramp between.

    A pair is fast where it turns more than beta_fast times in the original context, slow below
    beta_slow. Peng et al. 2023, "YaRN", section 3.2.
    """
    if base == 1:
        raise ModelError(f"{keys.prefix}.rope.freq_base is 1.0, yarn wants more")

    def pair_that_turns(name: str, default: float) -> float:
        times = keys.real(f"rope.scaling.{name}", default)
        if times == 0:
            raise ModelError(f"{keys.prefix}.rope.scaling.{name} is 0.0, want a positive number")
        return n_rot * (math.log(original) - math.log(times * 2 * math.pi)) / (2 * math.log(base))

    low = max(0.0, math.floor(pair_that_turns("yarn_beta_fast", 32.0)))
    high = math.ceil(pair_that_turns("yarn_beta_slow", 1.0))
    high = min(n_rot - 1.0, high)
    fast = 1 - np.clip((np.arange(n_rot // 2) - low) / max(0.001, high - low), 0, 1)
    return plain / scale * (1 - fast) + plain * fast
