"""The outside oracle: what llama.cpp makes of given files, tokens and texts. Runs where
llama-cpp-python is installed.

    python bench/peer_llamacpp.py JOB.json OUT.npz

Called by most of ``peer_*.py``; imports nothing of minengine. F32 cache, no flash attention, two
threads. A job has any of ``logits`` {label: file} with ``ids``; ``greedy`` {label: file} with
``prompts`` and ``n_greedy``; ``vocabularies`` {label: file} with ``texts`` (hex, for a text may be
no UTF-8); ``perplexity`` {label: file} with ``text`` (hex) and ``window``; ``embeddings`` {label:
file} with ``sentences`` and ``poolings``; ``quantize``, a list of (source, target, file type,
pure).
"""

from __future__ import annotations

import ctypes
import json
import sys

import llama_cpp
import numpy as np
from peer_answer import answer, load


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


def perplexity(path: str, text: bytes, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Its perplexity program's method: tokens int32 (chunks, window), -ln p of those of the second
    half, float64 (chunks, window - window // 2 - 1).
    """
    model = load(path, window)
    vocabulary, room = model._model.vocab, len(text) + 8
    ids = (llama_cpp.llama_token * room)()
    n = llama_cpp.llama_tokenize(vocabulary, text, len(text), ids, room, True, False)
    tokens = np.array(ids[: n // window * window], np.int32).reshape(-1, window)
    if llama_cpp.llama_vocab_get_add_bos(vocabulary):
        tokens[:, 0] = llama_cpp.llama_vocab_bos(vocabulary)
    nats = np.empty((len(tokens), window - window // 2 - 1))
    for i, chunk in enumerate(tokens.tolist()):
        model.reset()
        model.eval(chunk)
        for at in range(nats.shape[1]):
            x = model.scores[window // 2 + at].astype(np.float64)
            top = x.max()
            nats[i, at] = top + np.log(np.exp(x - top).sum()) - x[chunk[window // 2 + at + 1]]
    return tokens, nats


POOLINGS = {"none": 0, "mean": 1, "cls": 2, "last": 3}  # enum llama_pooling_type


def embeddings(path: str, texts: list[str], pooling: str) -> list[np.ndarray]:
    """Of each text its pooled vector (D,), or its rows (T, D) where nothing is pooled."""
    model = load(path, embedding=True, pooling_type=POOLINGS[pooling], logits_all=False)
    # one text a call: of several llama-cpp-python reads unpooled rows from the wrong places
    return [np.array(model.embed(text), np.float32) for text in texts]


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


def find(job: dict) -> dict[str, np.ndarray]:
    found = {}
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
    for label, path in job.get("perplexity", {}).items():
        text = bytes.fromhex(job["text"])
        found[f"ids {label}"], found[f"nats {label}"] = perplexity(path, text, job["window"])
    for label, path in job.get("embeddings", {}).items():
        for pooling in job["poolings"]:
            for i, rows in enumerate(embeddings(path, job["sentences"], pooling)):
                found[f"{pooling} {i} {label}"] = rows
    return found


if __name__ == "__main__":
    answer(find)
