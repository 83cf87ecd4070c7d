"""A tiny random model of any architecture of the table, written as a GGUF file."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from minengine import gguf_writer
from minengine.arch import ARCHITECTURES
from minengine.formats import FORMATS

SIZES = {"n_layers": 2, "D": 32, "H": 4, "G": 2, "E": 8, "F": 64, "V": 48}


def metadata(arch: str, s: dict) -> dict:
    """What a file of this architecture must say, for the sizes s."""
    return {
        "general.architecture": arch,
        f"{arch}.block_count": s["n_layers"],
        f"{arch}.embedding_length": s["D"],
        f"{arch}.attention.head_count": s["H"],
        f"{arch}.attention.head_count_kv": s["G"],
        f"{arch}.attention.key_length": s["E"],
        f"{arch}.attention.value_length": s["E"],
        f"{arch}.feed_forward_length": s["F"],
        f"{arch}.context_length": 64,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{arch}.rope.freq_base": 10000.0,
        "tokenizer.ggml.tokens": [f"t{i}" for i in range(s["V"])],
    }


@pytest.fixture(scope="session")
def write_model(tmp_path_factory):
    """Function ``(arch="llama", form="F32", tied=True, seed=0, change=None, **sizes) -> path``.

    ``change(metadata, tensors)`` may break the model before it is written. Norm weights are F32 and
    near 1.
    """
    folder = tmp_path_factory.mktemp("models")
    numbers = itertools.count()

    def write(arch="llama", form="F32", *, tied=True, seed=0, change=None, **sizes):
        s, rng = SIZES | sizes, np.random.default_rng(seed)
        letters = s | {"R": s["E"] // 2}
        tensors = {}

        def put(weight, prefix=""):
            shape = [math.prod(letters[k] for k in n.split("*")) for n in weight.shape]
            if len(shape) == 1:
                label, values = "F32", 1 + 0.1 * rng.standard_normal(shape)
            else:
                label, values = form, rng.standard_normal(shape) / math.sqrt(shape[1])
            raw = FORMATS[label].quantize(values)
            tensors[f"{prefix}{weight.name}.{weight.suffix}"] = (label, shape, raw)

        for weight in ARCHITECTURES[arch].tensors:
            if not weight.optional or (weight.name == "output" and not tied):
                put(weight)
        for i in range(s["n_layers"]):
            for weight in ARCHITECTURES[arch].layer:
                put(weight, f"blk.{i}.")
        pairs = metadata(arch, s)
        if change:
            change(pairs, tensors)
        path = folder / f"model{next(numbers)}.gguf"
        gguf_writer.write(path, pairs, tensors)
        return path

    return write
