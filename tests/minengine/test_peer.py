"""The engine against stored values of llama.cpp: tokens, logits in every format, greedy text.

``tests/golden/README.md`` says how they were made and what to run when the packaged model or a
quantizer changes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from minengine import Engine, gguf, oracle
from minengine.engine import packaged_model
from minengine.formats import FORMATS
from minengine.tokenizer import Tokenizer

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
KNOWN = json.loads((GOLDEN / "llamacpp.json").read_text(encoding="utf-8"))
ARRAYS = np.load(GOLDEN / "llamacpp.npz")
TEXTS = [bytes.fromhex(t) for t in KNOWN["texts"]]
# nrms on the same file, where llama.cpp rounds activations to the format's partner and this engine
# does not: halves for F16, bfloat16 for BF16, 8-bit blocks of 32 or 256 for the others. Each about
# five times what was seen.
ROUNDED = {
    "F32": 1e-5, "F16": 2e-3, "BF16": 1e-2, "Q8_0": 3e-2, "Q4_0": 3e-2, "Q4_1": 3e-2,
    "Q5_0": 3e-2, "Q5_1": 3e-2, "Q2_K": 4e-2, "Q3_K": 4e-2, "Q4_K": 4e-2, "Q5_K": 4e-2,
    "Q6_K": 4e-2, "IQ4_NL": 3e-2, "IQ4_XS": 4e-2, "TQ1_0": 0.15, "TQ2_0": 0.15, "MXFP4": 3e-2,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(packaged_in):
    """The packaged model's weights in every format: the files that llama.cpp was given."""
    return {name: packaged_in(name) for name in FORMATS}


def nrms(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.sqrt(np.mean((got.astype(np.float64) - want) ** 2)) / np.std(want))


@pytest.fixture(scope="module")
def logits(files):
    found = {}
    for name, path in files.items():
        with Engine(path, mode="exact") as engine:
            found[name] = engine.logits(ARRAYS["ids"])[ARRAYS["rows"]]
    return found


def tokenizer_of(change: dict) -> Tokenizer:
    with gguf.open(packaged_model()) as file:
        metadata = dict(file.metadata)
        tokens = list(metadata["tokenizer.ggml.tokens"])
        types = np.array(metadata["tokenizer.ggml.token_type"])
    for i, (text, kind) in change["tokens"].items():
        tokens[int(i)], types[int(i)] = text, kind
    lists = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}
    return Tokenizer({**metadata, **lists, **change["keys"]})


@pytest.mark.parametrize("label", KNOWN["vocabularies"])
def test_every_text_has_llamacpps_tokens(label):
    known = KNOWN["vocabularies"][label]
    tokenizer = tokenizer_of(known["change"])
    for key, rows in known["tokens"].items():
        add, parse = (c == "1" for c in key)
        for text, want in zip(TEXTS, rows, strict=True):
            got = tokenizer.encode(text, add_special=add, parse_special=parse)
            assert got == want, f"{text!r}, add_special={add}, parse_special={parse}"


@pytest.mark.parametrize("label", KNOWN["vocabularies"])
def test_every_token_prints_what_llamacpp_prints(label):
    known = KNOWN["vocabularies"][label]
    tokenizer = tokenizer_of(known["change"])
    assert [tokenizer.piece(i).hex() for i in range(len(tokenizer))] == known["pieces"]


@pytest.mark.parametrize("name", FORMATS)
def test_the_files_are_those_that_llamacpp_was_given(files, name):
    digest = gguf_digest(files[name])
    assert digest == KNOWN["digests"][name], "the model or a quantizer changed: golden/README.md"


def gguf_digest(path: Path) -> str:
    total = hashlib.sha256()
    with gguf.open(path) as file:
        for t in file.tensors.values():
            total.update(t.name.encode() + t.format.encode() + t.data.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("name", FORMATS)
def test_logits_are_llamacpps_on_the_same_weights_unrounded(logits, name):
    # Weights dequantized to F32, so llama.cpp rounds nothing: float32 sums in another order are
    # what is left, 4e-7 seen.
    assert nrms(logits[name], ARRAYS[f"twin {name}"]) < 1e-5


@pytest.mark.parametrize("name", FORMATS)
def test_logits_are_llamacpps_on_the_same_file_but_for_its_rounding(logits, name):
    got, want = logits[name], ARRAYS[f"logits {name}"]
    assert nrms(got, want) < ROUNDED[name]
    p, q = oracle.softmax(want), oracle.softmax(got)
    assert np.mean(np.sum(p * np.log(p / q), axis=1)) < ROUNDED[name]


@pytest.mark.parametrize("name", ["F32", "F16"])
def test_greedy_text_is_llamacpps(files, name):
    with Engine(files[name], mode="exact") as engine:
        engine.tokenizer.ends = set()
        for prompt, want in zip(KNOWN["prompts"], ARRAYS[f"greedy {name}"], strict=True):
            generation = engine.generate(prompt, max_tokens=len(want), greedy=True)
            list(generation)
            assert generation.sequence.tokens[len(prompt) :] == want.tolist()
