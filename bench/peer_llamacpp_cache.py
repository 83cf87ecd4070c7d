"""The outside oracle of cache operations: what llama.cpp makes of scripts of them. Runs where
llama-cpp-python is installed.

    python bench/peer_llamacpp_cache.py JOB.json OUT.npz

Called by ``peer_cache.py``; imports nothing of minengine. A job has ``files`` {label: file} and
``scripts`` {name: steps}; a step is ["decode", sequence, ids], ["rm", sequence, p0, p1],
["add", sequence, p0, p1, delta], ["cp", from, to, p0, p1] or ["keep", sequence]; ``leave`` lists
"LABEL NAME" that are not run. F32 cache, unified, no flash attention. Stored are the logits of
every decoded token, in order.
"""

from __future__ import annotations

import sys

import llama_cpp
import numpy as np
from peer_answer import F32, answer


def open_context(path: str):
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        path.encode(), llama_cpp.llama_model_default_params()
    )
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 512, 512, 512, 4
    params.type_k = params.type_v = F32
    params.flash_attn_type, params.kv_unified = 0, True
    return model, llama_cpp.llama_init_from_model(model, params)


def decode(context, n_vocab: int, sequence: int, ids: list[int], first: int) -> np.ndarray:
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.logits[i] = token, first + i, 1
        batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
    if llama_cpp.llama_decode(context, batch):
        sys.exit("llama_decode failed")
    rows = [
        np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, i), (n_vocab,)).copy()
        for i in range(len(ids))
    ]
    llama_cpp.llama_batch_free(batch)
    return np.array(rows)


def run(path: str, steps: list[list]) -> np.ndarray:
    model, context = open_context(path)
    memory = llama_cpp.llama_get_memory(context)
    n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    out = []
    for verb, sequence, *rest in steps:
        if verb == "decode":
            last = llama_cpp.llama_memory_seq_pos_max(memory, sequence)
            out.append(decode(context, n_vocab, sequence, rest[0], last + 1))
        else:
            getattr(llama_cpp, f"llama_memory_seq_{verb}")(memory, sequence, *rest)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.concatenate(out)


def find(job: dict) -> dict[str, np.ndarray]:
    return {
        f"{label} {name}": run(path, steps)
        for label, path in job["files"].items()
        for name, steps in job["scripts"].items()
        if f"{label} {name}" not in job["leave"]
    }


if __name__ == "__main__":
    answer(find)
