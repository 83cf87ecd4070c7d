"""A file again in another format: every matrix dequantized and quantized, the rest as it was.

Owns: which format each matrix gets, by name of a format or of a mix. Must not know: layers,
kernels. Read before: ``gguf.py``, ``formats.pyx``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from minengine import gguf, gguf_writer
from minengine.errors import RequestError, Unsupported
from minengine.formats import FORMATS

# general.file_type: a label that other programs print; what counts is the type of each tensor.
FILE_TYPES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10,
    "Q3_K": 12, "Q4_K": 14, "Q4_K_M": 15, "Q5_K": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25,
    "IQ4_XS": 30, "BF16": 32, "TQ1_0": 36, "TQ2_0": 37, "MXFP4": 38,
}  # fmt: skip
# Where rows are no whole number of blocks: the format of 32-element blocks that takes its place.
FALLBACK = {
    "Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
    "IQ4_XS": "IQ4_NL", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0",
}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """Formats for the matrices of one model: more bits for the head and in some layers.

    About half of the layers' ``attn_v`` and ``ffn_down`` get ``more``: the first and last eighth
    and every third between. The head (or the embedding that is the head) gets ``head``.
    """

    base: str
    more: str
    head: str


MIXES = {"Q4_K_M": Mix("Q4_K", "Q6_K", "Q6_K"), "Q5_K_M": Mix("Q5_K", "Q6_K", "Q6_K")}
NAMES = (*FORMATS, *MIXES)


def requantize(
    source: str | os.PathLike,
    target: str | os.PathLike,
    name: str,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write ``source`` to ``target`` in a format or mix -> {matrix: the format it got instead}.

    Vectors (norms) stay as they are. A matrix goes through float32, so what was lost in the format
    it comes from stays lost. ``name`` "F32" gives the twin of a quantized file: the same numbers,
    nothing rounded again. A matrix whose rows are no whole number of blocks gets ``FALLBACK``'s
    format or, at last, F16. ``progress`` is called with bytes read and bytes in all. Errors:
    ``RequestError`` for an unknown name; ``Unsupported`` for a tensor in a format this engine does
    not have.
    """
    if name not in NAMES:
        raise RequestError(f"format {name!r}: there are {', '.join(NAMES)}")
    tensors, instead = {}, {}
    with gguf.open(source) as file:
        done, total = 0, sum(t.nbytes for t in file.tensors.values())
        n_layers = 1 + max(map(layer_of, file.tensors), default=-1)
        head = "output.weight" if "output.weight" in file.tensors else "token_embd.weight"

        def converted(t: gguf.TensorInfo, label: str) -> np.ndarray:
            nonlocal done
            done += t.nbytes
            if progress is not None:
                progress(done, total)
            if label == t.format:
                return np.asarray(t.data)
            return FORMATS[label].quantize(FORMATS[t.format].dequantize(t.data))

        for t in file.tensors.values():
            if t.format not in FORMATS:
                have = ", ".join(FORMATS)
                raise Unsupported(f"{t.name}: format {t.format}, this engine has {have}")
            label = t.format
            if len(t.shape) > 1:
                wanted = format_for(t.name, name, n_layers, head)
                label = fitting(wanted, t.shape[-1])
                if label != wanted:
                    instead[t.name] = label
            tensors[t.name] = (label, t.shape, partial(converted, t, label))
        metadata = {**file.metadata, "general.file_type": FILE_TYPES[name]}
        gguf_writer.write(target, metadata, tensors)  # which may be the source
    return instead


def format_for(tensor: str, name: str, n_layers: int, head: str) -> str:
    """What a matrix gets under a format's or a mix's name."""
    if name in FORMATS:
        return name
    mix, layer, eighth = MIXES[name], layer_of(tensor), n_layers // 8
    if tensor == head:
        return mix.head
    rich = layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2
    if layer >= 0 and rich and tensor.split(".")[2] in ("attn_v", "ffn_down"):
        return mix.more
    return mix.base


def fitting(label: str, width: int) -> str:
    """The format, or what takes its place where ``width`` is no whole number of its blocks."""
    for candidate in (label, FALLBACK.get(label, "F16"), "F16"):
        if width % FORMATS[candidate].block_size == 0:
            return candidate
    return "F16"


def layer_of(tensor: str) -> int:
    """3 for ``blk.3.attn_q.weight``; -1 for a tensor of no layer."""
    found = re.match(r"blk\.(\d+)\.", tensor)
    return int(found[1]) if found else -1
