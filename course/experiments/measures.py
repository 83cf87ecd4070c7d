"""What labs ask students to write and measure with: a text's measures, a tensor's strides.

Owns: the right ones. Students have this file compiled and not to read. Must not know: experiments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minengine.formats import FORMATS
from minengine.gguf import TensorInfo


def surprise(logits: np.ndarray, tokens: Sequence[int]) -> float:
    """Mean of ``-log2 p(token)``, bits a token: logits (n, V) that the n tokens were drawn after.

    ``2 ** surprise`` is the perplexity.
    """
    x = np.asarray(logits, np.float64)
    top = x.max(axis=1)
    norm = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
    return float(np.mean(norm - x[np.arange(len(tokens)), list(tokens)]) / np.log(2))


def distinct(texts: Sequence[Sequence[int]], n: int) -> float:
    """Of all runs of n tokens in the texts, the share that are different ones.

    Li et al. 2016, "A Diversity-Promoting Objective Function", section 5.3.
    """
    runs = [tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0


def repetition(text: Sequence[int], n: int) -> float:
    """Of the runs of n tokens in one text, the share that stood in it before."""
    runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def ne_nb(info: TensorInfo) -> tuple[list[int], list[int]]:
    """ggml's ``ne`` (elements) and ``nb`` (bytes to the next), innermost dimension first.

    ``nb[0]`` is the size of a block, ``nb[1]`` that of a row; a shape here is outermost first.
    """
    form, ne = FORMATS[info.format], list(reversed(info.shape))
    nb = [form.block_bytes, form.row_bytes(ne[0])]
    for n in ne[1:]:
        nb.append(nb[-1] * n)
    return ne, nb[: len(ne)]
