"""A file again in another format: every matrix dequantized and quantized, the rest as it was.

Owns: which format each matrix gets, by name of a format or of a mix. Must not know: layers,
kernels. Read before: ``gguf.py``, ``formats.pyx``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from minengine import gguf, gguf_writer
from minengine.errors import RequestError, Unsupported
from minengine.formats import FORMATS

# general.file_type: a label that other programs print; what counts is the type of each tensor.
FILE_TYPES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10,
    "Q3_K_S": 11, "Q3_K": 12, "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K": 14, "Q4_K_S": 14, "Q4_K_M": 15,
    "Q5_K": 16, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32,
    "TQ1_0": 36, "TQ2_0": 37, "MXFP4": 38,
}  # fmt: skip
# Where rows are no whole number of blocks: the format of 32-element blocks that takes its place.
FALLBACK = {
    "Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
    "IQ4_XS": "IQ4_NL", "TQ1_0": "Q4_0", "TQ2_0": "Q4_0",
}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """Formats for the matrices of one model: ``base``, and more bits for what suffers most.

    ``more`` has for some matrices of a layer (format, the layers that get it): the first that holds
    counts. The head (or the embedding that is the head) gets Q6_K. A fused ``attn_qkv`` goes by
    ``attn_v``, the part of it that suffers.
    """

    base: str
    more: Mapping[str, tuple[tuple[str, Callable[[int, int], bool]], ...]]


HEAD = "Q6_K"


def every(layer: int, n_layers: int) -> bool:
    return True


def half(layer: int, n_layers: int) -> bool:
    """About half: the first and last eighth and every third between."""
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def first(n: int) -> Callable[[int, int], bool]:
    return lambda layer, n_layers: layer < n


def first_of(parts: int) -> Callable[[int, int], bool]:
    return lambda layer, n_layers: layer < n_layers // parts


# llama.cpp's mixtures under its names, held against its quantizer by bench/peer_mixes.py; the names
# of FORMATS are what its --pure does. Left out is what it does for experts and models of 80 layers.
MIXES = {
    "Q3_K_S": Mix("Q3_K", {}),
    "Q3_K_M": Mix(
        "Q3_K",
        {
            "attn_v": (("Q5_K", first(2)), ("Q4_K", every)),
            "attn_output": (("Q4_K", every),),
            "ffn_down": (("Q5_K", first_of(16)), ("Q4_K", every)),
        },
    ),
    "Q3_K_L": Mix("Q3_K", dict.fromkeys(("attn_v", "attn_output", "ffn_down"), (("Q5_K", every),))),
    "Q4_K_S": Mix("Q4_K", {"attn_v": (("Q5_K", first(4)),), "ffn_down": (("Q5_K", first_of(8)),)}),
    "Q4_K_M": Mix("Q4_K", dict.fromkeys(("attn_v", "ffn_down"), (("Q6_K", half),))),
    "Q5_K_S": Mix("Q5_K", {}),
    "Q5_K_M": Mix("Q5_K", dict.fromkeys(("attn_v", "ffn_down"), (("Q6_K", half),))),
}
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
        wanted = formats_for(file.tensors, name)

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
            label = fitting(wanted[t.name], t.shape[-1])
            if label != wanted[t.name]:
                instead[t.name] = label
            tensors[t.name] = (label, t.shape, partial(converted, t, label))
        metadata = {**file.metadata, "general.file_type": FILE_TYPES[name]}
        gguf_writer.write(target, metadata, tensors)  # which may be the source
    return instead


def formats_for(tensors: Mapping[str, gguf.TensorInfo], name: str) -> dict[str, str]:
    """What each tensor gets under a format's or a mix's name, whether its rows fit or not: matrices
    change, vectors stay.
    """
    n_layers = 1 + max(map(layer_of, tensors), default=-1)
    head = "output.weight" if "output.weight" in tensors else "token_embd.weight"

    def chosen(t: gguf.TensorInfo) -> str:
        if len(t.shape) < 2:
            return t.format
        if name in FORMATS:
            return name
        if t.name == head:
            return HEAD
        mix, layer = MIXES[name], layer_of(t.name)
        part = t.name.split(".")[2] if layer >= 0 else ""
        rules = mix.more.get("attn_v" if part == "attn_qkv" else part, ())
        return next((label for label, holds in rules if holds(layer, n_layers)), mix.base)

    return {t.name: chosen(t) for t in tensors.values()}


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
