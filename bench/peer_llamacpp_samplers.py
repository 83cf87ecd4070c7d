"""The outside oracle for samplers: what llama.cpp leaves of given logits, and what it draws. Runs
where llama-cpp-python is installed.

    python bench/peer_llamacpp_samplers.py JOB.json OUT.npz

Called by ``peer_samplers.py``; imports nothing of minengine. A job has a ``model`` for its
vocabulary; ``cases`` of steps on one row of logits; ``runs`` of one sampler that draws and
remembers, over rows that come round again.
"""

from __future__ import annotations

import ctypes

import llama_cpp as lc
import numpy as np
from peer_answer import answer, candidates, load

# where the state lies in the samplers' memory, from the structs of llama-sampler.cpp, version
# 0.3.36: mirostat's mu after five and four numbers; adaptive-p's sums after target, decay, two
# seeds and the generator, of 624 words and an index
STATE = {"mirostat 1": (24, 1), "mirostat 2": (16, 1), "adaptive-p": (16 + 625 * 8, 2)}


def sampler(step: list, n_vocab: int, vocabulary):
    name, *v = step

    def dry(multiplier, base, allowed_length, last_n, breakers=()):
        texts = (ctypes.c_char_p * len(breakers))(*(b.encode() for b in breakers))
        given = (vocabulary, multiplier, base, allowed_length, last_n)
        return lc.llama_sampler_init_dry(*given, texts, len(breakers))

    def logit_bias(biases):
        rows = (lc.llama_logit_bias * len(biases))(*(lc.llama_logit_bias(*b) for b in biases))
        return lc.llama_sampler_init_logit_bias(n_vocab, len(biases), rows)

    makers = {
        "penalties": lambda: lc.llama_sampler_init_penalties(n_vocab, *v),
        "dry": lambda: dry(*v),
        "logit_bias": lambda: logit_bias(*v),
        "top_n_sigma": lambda: lc.llama_sampler_init_top_n_sigma(*v),
        "top_k": lambda: lc.llama_sampler_init_top_k(*v),
        "typical_p": lambda: lc.llama_sampler_init_typical(*v, 0),
        "top_p": lambda: lc.llama_sampler_init_top_p(*v, 0),
        "min_p": lambda: lc.llama_sampler_init_min_p(*v, 0),
        "xtc": lambda: lc.llama_sampler_init_xtc(*v[:2], 0, *(v[2:] or [1])),
        "temperature": lambda: lc.llama_sampler_init_temp_ext(*v),
        "greedy": lambda: lc.llama_sampler_init_greedy(),
        "dist": lambda: lc.llama_sampler_init_dist(*v),
        "mirostat 1": lambda: lc.llama_sampler_init_mirostat(n_vocab, *v, 100),
        "mirostat 2": lambda: lc.llama_sampler_init_mirostat_v2(*v),
        "adaptive-p": lambda: lc.llama_sampler_init_adaptive_p(*v[1:], v[0]),
    }
    return makers[name]()


def apply(s, logits: np.ndarray, array=None):
    """The candidates after a sampler: those of a row of logits, or those that another left."""
    if array is None:
        array, _ = candidates(logits)
    lc.llama_sampler_apply(s, ctypes.byref(array))
    return array


def case(job: dict, vocabulary) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids that are left, their logits, and the one that was drawn, or -1."""
    array, n = None, len(job["logits"])
    for step in job["steps"]:
        s = sampler(step, n, vocabulary)
        for token in job["history"]:
            lc.llama_sampler_accept(s, token)
        array = apply(s, job["logits"], array)
        lc.llama_sampler_free(s)
    rows = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    drawn = array.data[array.selected].id if array.selected >= 0 else -1
    return np.array([r[0] for r in rows], np.int32), np.array([r[1] for r in rows], "f4"), drawn


def run(job: dict) -> tuple[list[int], list[list[float]]]:
    """Ids that were drawn, and the state after each."""
    s = sampler([job["name"], job["seed"], *job["values"]], len(job["rows"][0]), None)
    at, n = STATE[job["name"]]
    state, drawn, states = (ctypes.c_float * n).from_address(s.contents.ctx + at), [], []
    for i in range(job["steps"]):
        array = apply(s, job["rows"][i % len(job["rows"])])
        drawn.append(array.data[array.selected].id)
        lc.llama_sampler_accept(s, drawn[-1])
        states.append([*state, 0.0][:2])
    lc.llama_sampler_free(s)
    return drawn, states


def find(job: dict) -> dict[str, np.ndarray]:
    model = load(job["model"], vocab_only=True)
    found = [case(c, model._model.vocab) for c in job["cases"]]
    ends = np.cumsum([len(ids) for ids, *_ in found])
    ids, logits, drawn = zip(*found, strict=True)
    out = {"ids": np.concatenate(ids), "logits": np.concatenate(logits), "ends": ends}
    runs = [run(r) for r in job["runs"]]
    out["run_drawn"] = np.array([r[0] for r in runs], np.int32)
    out["run_states"] = np.array([r[1] for r in runs], np.float32)
    return out | {"drawn": np.array(drawn, np.int32)}


if __name__ == "__main__":
    answer(find)
