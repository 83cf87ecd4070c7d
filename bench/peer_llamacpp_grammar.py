"""The outside oracle for grammars: which tokens llama.cpp lets come next on random walks. Runs
where llama-cpp-python is installed.

    python bench/peer_llamacpp_grammar.py JOB.json OUT.npz

Called by ``peer_grammar.py``; imports nothing of minengine. A job has ``model``, ``grammars``,
``walks`` of ``steps`` tokens for each grammar, and ``avoid``: tokens that no walk takes.
"""

from __future__ import annotations

import ctypes
import sys

import llama_cpp as lc
import numpy as np
from peer_answer import answer, candidates, load


def allowed(sampler, n_vocab: int) -> np.ndarray:
    """Tokens whose logit the sampler leaves finite: bool (V,)."""
    array, view = candidates(np.zeros(n_vocab))
    lc.llama_sampler_apply(sampler, ctypes.byref(array))
    return np.isfinite(view["logit"])


def walk(
    vocabulary, grammar: str, rng: np.random.Generator, n_steps: int, avoid: set, n_vocab: int
):
    """Tokens taken, and what was allowed before each of them and after the last."""
    sampler = lc.llama_sampler_init_grammar(vocabulary, grammar.encode(), b"root")
    if not sampler:
        sys.exit(f"llama.cpp refuses {grammar}")
    taken, masks = [], [allowed(sampler, n_vocab)]
    for _ in range(n_steps):
        ways = [i for i in np.flatnonzero(masks[-1]).tolist() if i not in avoid]
        if not ways:
            break
        taken.append(int(rng.choice(ways)))
        lc.llama_sampler_accept(sampler, taken[-1])
        masks.append(allowed(sampler, n_vocab))
    lc.llama_sampler_free(sampler)
    return taken, masks


def find(job: dict) -> dict[str, np.ndarray]:
    model = load(job["model"], vocab_only=True)
    vocabulary, n_vocab = model._model.vocab, model.n_vocab()
    rng, avoid, taken, masks = np.random.default_rng(0), set(job["avoid"]), [], []
    for grammar in job["grammars"]:
        for _ in range(job["walks"]):
            ids, found = walk(vocabulary, grammar, rng, job["steps"], avoid, n_vocab)
            taken.append(ids + [-1] * (job["steps"] - len(ids)))
            masks += [np.packbits(m) for m in found]
    return {"taken": np.array(taken, np.int32), "masks": np.array(masks)}


if __name__ == "__main__":
    answer(find)
