"""Every part of the engine held against its meaning, on this machine, with the errors in numbers.

Owns: what is checked and how large an error may be. Must not know: the command line, pytest. Read
before: ``oracle.py``, ``oracle_models.py``. The tests of the repository check far more; this is
what an installed package can say about itself in a few seconds.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from minengine import attention, ops, oracle, oracle_formats, oracle_models, random_model, strips
from minengine.batch import Batch
from minengine.engine import Engine
from minengine.formats import FORMATS
from minengine.graph import GATES
from minengine.kvcache import BlockPool

# float32 sums of a few hundred products: errors of some 1e-7 of the largest value, with a margin of
# 30.
FLOAT32 = 1e-5


@dataclass(frozen=True)
class Result:
    """One check: the error, the largest one allowed, and what was compared, in words."""

    name: str
    error: float
    allowed: float
    what: str

    @property
    def passed(self) -> bool:
        return self.error <= self.allowed  # false for NaN


def run(path: str | os.PathLike | None = None) -> Iterator[Result]:
    """The results one by one, as they are found; ``path`` None checks the packaged model."""
    rng = np.random.default_rng(1)
    for name in FORMATS:
        yield from check_format(name, rng)
    for name, check in OPERATIONS.items():
        got, want = check(rng)
        yield compared(name, got, want, "relative to the largest value")
    with tempfile.TemporaryDirectory() as folder:
        for name in random_model.VARIANTS:
            yield check_architecture(name, Path(folder, "model.gguf"))
    with Engine(path, mode="exact") as engine:
        yield from check_model(engine)


def compared(name: str, got: np.ndarray, want: np.ndarray, how: str) -> Result:
    """The largest difference, as a share of the largest wanted value."""
    error = float(np.max(np.abs(got - want)) / np.max(np.abs(want)))
    return Result(name, error, FLOAT32, f"largest error {error:.1e} {how}")


def check_format(name: str, rng: np.random.Generator) -> Iterator[Result]:
    """A format's numbers to the last bit, what it loses, and its dot product against float64."""
    row, x, y = FORMATS[name], *rng.standard_normal((2, 4096)).astype(np.float32)
    raw = row.quantize(x)
    back = row.dequantize(raw)
    differ = int(np.sum(back != oracle_formats.dequantize(name, raw).astype(np.float32)))
    yield Result(f"format {name} dequantize", differ, 0, f"{differ} of {back.size} values differ")
    lost = float(np.sqrt(np.mean((back - x) ** 2) / np.mean(x**2)))
    bits = 8 * row.block_bytes / row.block_size
    what = f"{lost:.1e} of a normal number is lost in {bits:g} bits"
    yield Result(f"format {name} quantize", lost, LOSSES[name], what)
    terms = oracle.f64(back) * oracle.f64(y)
    error = float(abs(row.dot(raw, y) - terms.sum()) / np.abs(terms).sum())
    what = f"error {error:.1e} relative to the sum of sizes"
    yield Result(f"format {name} dot", error, FLOAT32, what)


def check_embed(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    table, ids = rng.standard_normal((50, 64)).astype(np.float32), np.array([3, 49, 0], np.int32)
    out = np.empty((3, 64), np.float32)
    ops.embed(FORMATS["F32"].quantize(table), FORMATS["F32"], ids, out)
    return out, oracle.embed(table, ids)


def check_matmul(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Every format at once, against the float64 product with the weights as they are in the
    format.
    """
    x, weight = (rng.standard_normal((n, 512)).astype(np.float32) for n in (7, 40))
    got, want = [], []
    for row in FORMATS.values():
        raw, out = row.quantize(weight), np.empty((7, 40), np.float32)
        ops.matmul(x, raw, row, out)
        got.append(out)
        want.append(oracle.matmul(x, row.dequantize(raw)))
    return np.array(got), np.array(want)


def check_fast_matmul(
    rng: np.random.Generator, variant: str = "portable", interleaved: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Every format that has codes, by one variant of the integer product, against the float64
    product with the activations as rounded: 7 tokens and 3, 40 rows, which are no whole strips.
    """
    x, weight = (rng.standard_normal((n, 512)).astype(np.float32) for n in (7, 40))
    got, want = [], []
    for row in (form for form in FORMATS.values() if form.has_codes):
        raw = stored = row.quantize(weight)
        if interleaved:
            stored = np.empty((strips.strip_rows(40), raw.shape[1]), np.uint8)
            strips.interleave(raw, row, stored, variant=variant)
        for part in (x, x[:3]):
            codes = strips.rounded(part, variant=variant)
            out = np.empty((len(part), 40), np.float32)
            strips.matmul(codes, stored, row, out, interleaved=interleaved, variant=variant)
            got.append(out)
            want.append(oracle.matmul(oracle.rounded(part), row.dequantize(raw)))
    return np.concatenate(got), np.concatenate(want)


def check_rms_norm(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, weight = rng.standard_normal((6, 256)).astype(np.float32), rng.random(256, np.float32)
    out = np.empty_like(x)
    ops.rms_norm(x, weight, 1e-5, out)
    return out, oracle.rms_norm(x, weight, 1e-5)


def check_rope(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both pairings, at near and far positions."""
    got, want, positions = [], [], np.array([0, 1, 500, 100_000])
    angles = oracle.rope_angles(positions, 32)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    for pairing in ("norm", "neox"):
        x = rng.standard_normal((4, 3, 32)).astype(np.float32)
        want.append(oracle.rope(x, positions, pairing=pairing))
        turned = x.reshape(4, 96).copy()
        ops.rope(turned, cos, sin, 3, pairing)
        got.append(turned.reshape(4, 3, 32))
    return np.array(got), np.array(want)


def check_gate(name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    gate, up = (rng.standard_normal((2, 5, 300)) * 10).astype(np.float32)
    out = np.empty_like(gate)
    GATES[name](gate, up, out)
    return out, oracle_models.GATES[name](gate) * up


def check_add(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x, y = rng.standard_normal((2, 5, 300)).astype(np.float32)
    want = oracle.f64(x) + y
    ops.add(x, y)
    return x, want


def check_in_place(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A bias, a factor and a cap, one after the other."""
    x, bias = rng.standard_normal((5, 300)).astype(np.float32), rng.random(300, np.float32)
    want = oracle.softcap((oracle.f64(x) + bias) * 12.5, 30.0)
    ops.add_bias(x, bias)
    ops.scale(x, 12.5)
    ops.softcap(x, 30.0)
    return x, want


def check_softmax(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = (rng.standard_normal((5, 300)) * 20).astype(np.float32)
    out = np.empty_like(x)
    ops.softmax(x, out)
    return out, oracle.softmax(x)


def check_attention(
    rng: np.random.Generator, window: int = 0, cap: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Two sequences of different lengths in one batch, their blocks interleaved in the pool."""
    H, G, E, B = 4, 2, 32, 8
    pool, tables, lengths = BlockPool(16, B, 1, G, E), ([], []), (20, 9)
    for first in (0, 8, 16):
        for table, n in zip(tables, lengths, strict=True):
            pool.writable(table, first, max(0, min(8, n - first)))
    batch = Batch.of([([0] * n, 0, t) for t, n in zip(tables, lengths, strict=True)], B)
    q = rng.standard_normal((29, H * E)).astype(np.float32)
    k, v = rng.standard_normal((2, 29, G * E)).astype(np.float32)
    out = np.empty_like(q)
    attention.store_kv(k, v, batch.slots, pool.format, pool.keys[0], pool.values[0])
    attention.attend(
        q, pool.keys[0], pool.values[0], pool.format,
        batch.sequences, batch.block_tables, batch.lengths, H, out,
        starts=batch.starts(window) if window else None, softcap=cap,
    )  # fmt: skip
    want = []
    for part in (slice(0, 20), slice(20, 29)):
        n = part.stop - part.start
        heads = (a[part].reshape(n, -1, E) for a in (q, k, v))
        mask = oracle.causal_mask(n, n, window=window)
        want.append(oracle.attention(*heads, mask, cap=cap).reshape(n, H * E))
    return out, np.concatenate(want)


def check_architecture(name: str, path: Path) -> Result:
    """A small random model of one of ``random_model.VARIANTS``, written to ``path``."""
    variant = random_model.VARIANTS[name]
    random_model.write(path, variant.arch, keys=variant.keys, **{"E": 64} | variant.options)
    with Engine(path, mode="exact") as engine:
        V = engine.model.hparams.V
        return check_logits(engine, [i * i % V for i in range(24)], f"architecture {name}")


def check_logits(engine: Engine, ids: list[int], name: str) -> Result:
    """The whole network against the oracle's."""
    file = engine.model.file
    want = oracle_models.forward(
        engine.model.arch, file.metadata, oracle_formats.weights(file.tensors), np.array(ids),
        context=engine.context,
    )  # fmt: skip
    error = float(np.sqrt(np.mean((engine.logits(ids) - want) ** 2)) / np.std(want))
    what = f"error {error:.1e} of the spread, {len(ids)} tokens against float64"
    return Result(name, error, FLOAT32, what)


def check_model(engine: Engine) -> Iterator[Result]:
    """The whole network against the oracle's, and whether cutting and threads change a bit."""
    text = "First Citizen:\nSpeak, speak \u2014 na\u00efve \U0001f600\n"
    ids = engine.tokenize(text)[:48]
    wrong = sum(
        a != b for a, b in zip(engine.detokenize(engine.tokenize(text)), text, strict=False)
    )
    yield Result("model tokenizer", wrong, 0, f"{wrong} characters of a text come back wrong")
    if engine.model.n_parameters < 50e6:  # float64 of a larger one takes long and much memory
        yield check_logits(engine, ids, "model logits")
    logits = engine.logits(ids)
    one = Engine(engine.model.file.path, n_threads=1, n_batch=5, mode="exact")
    with one:
        differ = int(np.sum(one.logits(ids) != logits))
    what = f"{differ} values differ between 1 thread in fives and {engine.n_threads} at once"
    yield Result("model bits", differ, 0, what)


OPERATIONS: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "operation embed": check_embed,
    "operation matmul, every format": check_matmul,
    **{
        f"operation matmul, fast, {name}": partial(check_fast_matmul, variant=name)
        for name in strips.runs()
    },
    **{
        f"operation matmul, fast, {name}, strips": partial(
            check_fast_matmul, variant=name, interleaved=True
        )
        for name in strips.runs()[:-1]
    },
    "operation rms_norm": check_rms_norm,
    "operation rope": check_rope,
    "operation silu_mul": partial(check_gate, "silu"),
    "operation gelu_mul": partial(check_gate, "gelu"),
    "operation add": check_add,
    "operation bias, scale, softcap": check_in_place,
    "operation softmax": check_softmax,
    "attention over blocks": check_attention,
    "attention, window and softcap": partial(check_attention, window=7, cap=2.0),
}
# What each format may lose on normal numbers: a little above what was measured.
LOSSES = {
    "F32": 0.0, "F16": 4e-4, "BF16": 3e-3, "Q8_0": 8e-3, "Q4_0": 0.12, "Q4_1": 0.12,
    "Q5_0": 0.06, "Q5_1": 0.06, "Q2_K": 0.4, "Q3_K": 0.22, "Q4_K": 0.1, "Q5_K": 0.05,
    "Q6_K": 0.03, "IQ4_NL": 0.11, "IQ4_XS": 0.11, "TQ1_0": 1.0, "TQ2_0": 1.0, "MXFP4": 0.16,
}  # fmt: skip
