"""The outside oracle: what llama.cpp makes of given files, tokens and texts. Runs where
llama-cpp-python is installed.

    python bench/peer_llamacpp.py JOB.json OUT.npz

Called by ``peer_logits.py``; imports nothing of ours. F32 cache, no flash attention, two threads. A
job has any of ``logits`` {label: file} with ``ids``; ``greedy`` {label: file} with ``prompts`` and
``n_greedy``; ``vocabularies`` {label: file} with ``texts`` (hex, for a text may be no UTF-8);
``quantize``, a list of (source, target, file type, pure).
"""

from __future__ import annotations

import ctypes
import json
import sys

import llama_cpp
import numpy as np

F32 = 0  # ggml type id of the cache


def load(path: str, **options) -> llama_cpp.Llama:
    return llama_cpp.Llama(
        path, n_ctx=512, n_batch=512, n_ubatch=512, n_threads=2, n_threads_batch=2, verbose=False,
        type_k=F32, type_v=F32, flash_attn=False, logits_all=True, **options,
    )  # fmt: skip


def logits(path: str, ids: list[int]) -> np.ndarray:
    """All ids in one batch: float32 (T, V)."""
    model = load(path)
    model.eval(ids)
    return model.scores[: len(ids)].astype(np.float32).copy()


def greedy(path: str, prompts: list[list[int]], n: int) -> np.ndarray:
    """The likeliest token n times, token by token, on ties the lowest id: int32 (prompts, n)."""
    model, out = load(path), []
    for prompt in prompts:
        model.reset()
        model.eval(prompt)
        chosen = []
        for _ in range(n):
            chosen.append(int(np.argmax(model.scores[model.n_tokens - 1])))
            model.eval(chosen[-1:])
        out.append(chosen)
    return np.array(out, np.int32)


def tokenize(path: str, texts: list[bytes]) -> dict[str, list[list[int]]]:
    """Ids of every text, without and with special tokens added and parsed: keys "00", "01", "10",
    "11".
    """
    model = load(path, vocab_only=True)
    vocabulary, found = model._model.vocab, {}
    for add in (False, True):
        for parse in (False, True):
            rows = found.setdefault(f"{add:d}{parse:d}", [])
            for text in texts:
                room = len(text) + 8
                ids = (llama_cpp.llama_token * room)()
                n = llama_cpp.llama_tokenize(vocabulary, text, len(text), ids, room, add, parse)
                rows.append(list(ids[:n]))
    return found


def detokenize(path: str, n_vocab: int) -> list[str]:
    """What each token prints, as hex."""
    model, pieces = load(path, vocab_only=True), []
    for i in range(n_vocab):
        buffer = ctypes.create_string_buffer(64)
        n = llama_cpp.llama_token_to_piece(model._model.vocab, i, buffer, 64, 0, False)
        pieces.append(buffer.raw[:n].hex())
    return pieces


def ends(path: str) -> list[int]:
    """The ids that end generation."""
    model = load(path, vocab_only=True)  # the vocabulary lives as long as it
    vocabulary = model._model.vocab
    n = llama_cpp.llama_vocab_n_tokens(vocabulary)
    return [i for i in range(n) if llama_cpp.llama_vocab_is_eog(vocabulary, i)]


def quantize(source: str, target: str, file_type: int, pure: bool) -> None:
    """llama.cpp's own quantizer."""
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.pure, options.nthread = file_type, pure, 2
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(options)):
        sys.exit(f"{source}: not quantized to file type {file_type}")


def main(job_path: str, out_path: str) -> None:
    with open(job_path, encoding="utf-8") as f:
        job = json.load(f)
    found = {"version": np.array(llama_cpp.__version__)}
    for label, path in job.get("logits", {}).items():
        found[f"logits {label}"] = logits(path, job["ids"])
    for label, path in job.get("greedy", {}).items():
        found[f"greedy {label}"] = greedy(path, job["prompts"], job["n_greedy"])
    for source, target, file_type, pure in job.get("quantize", ()):
        quantize(source, target, file_type, pure)
    for label, path in job.get("vocabularies", {}).items():
        ids = tokenize(path, [bytes.fromhex(t) for t in job["texts"]])
        found[f"tokens {label}"] = np.array(json.dumps(ids))
        found[f"pieces {label}"] = np.array(json.dumps(detokenize(path, job["n_vocab"])))
        found[f"ends {label}"] = np.array(ends(path))
    np.savez(out_path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
