"""The peer's side of ``peer.py``: how its scripts read a job, open models and store what they find.

Owns: these, and llama.cpp's candidates. Must not know: any job, and anything of ours; it runs where
llama-cpp-python is installed. Read before: ``peer.py`` (ask).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import llama_cpp
import numpy as np

F32 = 0  # ggml type id of the cache


def answer(find: Callable[[Any], dict[str, np.ndarray]]) -> None:
    """The command ``SCRIPT JOB.json OUT.npz``: store what ``find`` makes of the job, and the
    version of llama-cpp-python.
    """
    job_path, out_path = sys.argv[1:]
    with open(job_path, encoding="utf-8") as f:
        found = find(json.load(f))
    np.savez(out_path, version=np.array(llama_cpp.__version__), **found)


def load(path: str, window: int = 512, **options) -> llama_cpp.Llama:
    """F32 cache, no flash attention, two threads, a window in one pass."""
    return llama_cpp.Llama(
        path, n_ctx=window, n_batch=window, n_ubatch=window, n_threads=2, n_threads_batch=2,
        type_k=F32, type_v=F32, flash_attn=False, verbose=False,
        **{"logits_all": True} | options,
    )  # fmt: skip


def candidates(logits: np.ndarray) -> tuple[llama_cpp.llama_token_data_array, np.ndarray]:
    """All tokens with their logits as samplers take them, and a view of the rows: id, logit, p."""
    n = len(logits)
    data = (llama_cpp.llama_token_data * n)()
    view = np.frombuffer(data, dtype=[("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
    view["id"], view["logit"], view["p"] = np.arange(n), logits, 0
    return llama_cpp.llama_token_data_array(data=data, size=n, selected=-1, sorted=False), view
