"""The outside oracle for samplers: what llama.cpp leaves of given logits. Runs where
llama-cpp-python is installed.

    python bench/peer_llamacpp_samplers.py JOB.json OUT.npz

Called by ``peer_samplers.py``; imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import json
import sys

import llama_cpp as lc
import numpy as np


def sampler(step: list, n_vocab: int):
    name, *v = step
    makers = {
        "penalties": lambda: lc.llama_sampler_init_penalties(n_vocab, *v),
        "dry": lambda: lc.llama_sampler_init_dry(None, v[0], v[1], v[2], v[3], None, 0),
        "top_n_sigma": lambda: lc.llama_sampler_init_top_n_sigma(*v),
        "top_k": lambda: lc.llama_sampler_init_top_k(*v),
        "typical_p": lambda: lc.llama_sampler_init_typical(*v, 0),
        "top_p": lambda: lc.llama_sampler_init_top_p(*v, 0),
        "min_p": lambda: lc.llama_sampler_init_min_p(*v, 0),
        "xtc": lambda: lc.llama_sampler_init_xtc(*v, 0, 1),
        "temperature": lambda: lc.llama_sampler_init_temp_ext(*v),
    }
    return makers[name]()


def run(case: dict) -> tuple[np.ndarray, np.ndarray]:
    n = len(case["logits"])
    data = (lc.llama_token_data * n)()
    view = np.frombuffer(data, dtype=[("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
    view["id"], view["logit"], view["p"] = np.arange(n), case["logits"], 0
    array = lc.llama_token_data_array(data=data, size=n, selected=-1, sorted=False)
    for step in case["steps"]:
        s = sampler(step, n)
        for token in case["history"]:
            lc.llama_sampler_accept(s, token)
        lc.llama_sampler_apply(s, ctypes.byref(array))
        lc.llama_sampler_free(s)
    rows = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    return np.array([r[0] for r in rows], np.int32), np.array([r[1] for r in rows], np.float32)


def main(job_path: str, out_path: str) -> None:
    with open(job_path, encoding="utf-8") as f:
        found = [run(case) for case in json.load(f)]
    ends = np.cumsum([len(ids) for ids, _ in found])
    ids, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    np.savez(out_path, ids=ids, logits=logits, ends=ends)


if __name__ == "__main__":
    main(*sys.argv[1:])
