"""A model file again with its matrices in another format: how F32 weights become Q4_K ones, and
back.

Owns: which tensors change and what the new file is called inside. Must not know: how a format codes
its blocks, what a tensor is for. Read before: ``gguf.py``, ``formats.pyx``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minengine import gguf
from minengine.errors import RequestError, Unsupported
from minengine.formats import FORMATS

# general.file_type: a label that other programs print; what counts is the type of each tensor.
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K": 14, "Q6_K": 18, "BF16": 32}


def requantize(source: str | os.PathLike, target: str | os.PathLike, name: str) -> None:
    """Write ``source`` to ``target`` with every matrix in the format ``name``; vectors (norms) stay
    as they are.

    A matrix goes through float32, so what was lost in the format it comes from stays lost. ``name``
    "F32" gives the twin of a quantized file: the same numbers, nothing rounded again. Errors:
    ``RequestError`` for an unknown format or rows that are no whole number of its blocks;
    ``Unsupported`` for a tensor in a format this engine does not have.
    """
    if name not in FORMATS:
        raise RequestError(f"format {name!r}: there are {', '.join(FORMATS)}")
    wanted = FORMATS[name]
    tensors = {}
    with gguf.open(source) as file:
        for t in file.tensors.values():
            if t.format not in FORMATS:
                raise Unsupported(
                    f"{t.name}: format {t.format}, this engine has {', '.join(FORMATS)}"
                )
            if len(t.shape) < 2:
                tensors[t.name] = (t.format, t.shape, t.data)
                continue
            width, size = t.shape[-1], wanted.block_size
            if width % size:
                raise RequestError(f"{t.name}: rows of {width}, {name} wants a multiple of {size}")
            raw = t.data
            if t.format != name:
                raw = wanted.quantize(FORMATS[t.format].dequantize(raw))
            tensors[t.name] = (name, t.shape, np.asarray(raw))
        metadata = {**file.metadata, "general.file_type": FILE_TYPES[name]}
        # Written beside and moved: the source may be the target, and is mapped until it is read.
        part = Path(f"{os.fspath(target)}.part")
        try:
            gguf.write(part, metadata, tensors)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
