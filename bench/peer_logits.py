"""Is the engine right? minengine and llama.cpp on the same files and tokens, in every format; and
the golden values.

    python bench/peer_logits.py MODEL.gguf --peer PEER/bin/python [--golden tests/golden] [--csv
    FILE]

MODEL (any format) is made F32 and from that a file in each format. PEER is an environment with
llama-cpp-python: ``python -m venv PEER && PEER/bin/pip install llama-cpp-python==0.3.36``.
``--golden`` writes what ``tests/minengine/test_peer.py`` holds the engine to; MODEL must be the
packaged model then.

llama.cpp rounds activations too where weights are quantized, so on such a file the two differ by
its rounding. What must agree is the *twin*: the same file with its weights dequantized to F32, on
which llama.cpp rounds nothing. nrms = rms(difference) / std(logits); KL = mean over tokens of
KL(llama.cpp || minengine), nats.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
from peer import ask, kl, nrms, parser, store

from minengine import Engine, gguf, gguf_writer
from minengine.formats import FORMATS
from minengine.requantize import requantize

PROMPTS = ("ROMEO:\n", "To be, or not to be", "KING RICHARD III:\nNow is the winter")
N_GREEDY = 200
N_TOKENS = 256
ROWS = (0, 31, 100, 255)  # of the logits, into the golden file
TEXT = """First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak.

First Citizen:
You are all resolved rather to die than to famish?

All:
Resolved. resolved.

First Citizen:
First, you know Caius Marcius is chief enemy to the people.

All:
We know't, we know't.

First Citizen:
Let us kill him, and we'll have corn at our own price. Is't a verdict?

All:
No more talking on't; let it be done: away, away!

Second Citizen:
One word, good citizens.

First Citizen:
We are accounted poor citizens, the patricians good. What authority surfeits on would relieve us: if
they would yield us but the superfluity, while it were wholesome, we might guess they relieved us
humanely.
"""
WORDS = (
    "", " ", "  ", "   a   b  ", "\n", "\n\n\n", "\t", "a\tb\r\nc", "\0", "\1\2\x1f\x7f", "the",
    " the", "the the the", TEXT, "<s>", "</s>", "a</s>b", "<s>the<s> the </s>", "<unk>", "<0x41>",
    "<0x0A> <0x0a>", "12345 3.14 1,000", "ROMEO:\nO, she doth teach", "aaaaaaaaaaaaaaaaaaaaaaaa",
    "thethethethe", "!?;:'--&$3", "é", "naïve café — “quotes” …", "안녕하세요 세계",
    "日本語 テスト。", "😀😃👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301 vs é", "\u2581 \u2581a", "\u00a0\u2003\u200b\ufeff",
    "Ελληνικά русский עברית العربية", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "\U0010ffff\ufffd", "<x>", "a<x><y>b",
    "<x><x><y> <|im_end|> the", "<|im_end|>", "&$3 <y>",
)  # fmt: skip
NO_WORDS = (  # no UTF-8
    b"\xff", b"\x80\x80", b"a\xffb c", b"\xe2\x96", b"\xe2 the", b"\xf0\x9f\x98 the\n", b"\xc3(",
    b"\xed\xa0\x80",
)  # fmt: skip
TEXTS = (*(w.encode() for w in WORDS), *NO_WORDS)
# Vocabularies made from the packaged one: metadata keys, and tokens that change text and type.
LAST = (1021, 1022, 1023)
VARIANTS = {
    "packaged": {"keys": {}, "tokens": {}},
    "prefix": {
        "keys": {"tokenizer.ggml.add_space_prefix": True, "tokenizer.ggml.add_eos_token": True},
        "tokens": {},
    },
    "special": {
        "keys": {"tokenizer.ggml.add_space_prefix": True, "tokenizer.ggml.add_bos_token": False},
        "tokens": dict(
            zip(map(str, LAST), [["<x>", 4], ["<x><y>", 4], ["<|im_end|>", 1]], strict=True)
        ),
    },
}


def variant(metadata: dict, change: dict) -> dict:
    """Metadata with other keys, and with tokens {id: [text, type]} exchanged."""
    tokens = list(metadata["tokenizer.ggml.tokens"])
    types = np.array(metadata["tokenizer.ggml.token_type"])
    for i, (text, kind) in change["tokens"].items():
        tokens[int(i)], types[int(i)] = text, kind
    lists = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}
    return {**metadata, **lists, **change["keys"]}


def make_files(source: Path, work: Path) -> dict[str, Path]:
    """A file in each format, and of each its twin in F32."""
    files = {}
    requantize(source, work / "F32.gguf", "F32")
    for name in FORMATS:
        files[name] = work / f"{name}.gguf"
        if name != "F32":
            requantize(files["F32"], files[name], name)
        files[f"{name} twin"] = work / f"{name}-twin.gguf"
        requantize(files[name], files[f"{name} twin"], "F32")
    with gguf.open(source) as file:
        tensors = {t.name: (t.format, t.shape, np.array(t.data)) for t in file.tensors.values()}
        for label, change in VARIANTS.items():
            files[f"vocabulary {label}"] = work / f"vocabulary-{label}.gguf"
            gguf_writer.write(files[f"vocabulary {label}"], variant(file.metadata, change), tensors)
    return files


def digest(path: Path) -> str:
    """Of the tensors alone: the same weights have the same digest whatever the metadata say."""
    total = hashlib.sha256()
    with gguf.open(path) as file:
        for t in file.tensors.values():
            total.update(t.name.encode() + t.format.encode() + t.data.tobytes())
    return total.hexdigest()


def ask_peer(
    python: str, files: dict[str, Path], ids: list[int], prompts: list, n_vocab: int
) -> dict:
    job = {
        "logits": {k: f for k, f in files.items() if "vocabulary" not in k},
        "greedy": {k: f for k, f in files.items() if k in FORMATS},
        "vocabularies": {k: files[f"vocabulary {k}"] for k in VARIANTS},
        "ids": ids, "prompts": prompts, "n_greedy": N_GREEDY, "n_vocab": n_vocab,
        "texts": [t.hex() for t in TEXTS],
    }  # fmt: skip
    return ask(python, "peer_llamacpp.py", files["F32"].parent, job)


def ours(path: Path, ids: list[int], prompts: list[list[int]]) -> tuple[np.ndarray, ...]:
    """Logits (T, V); greedy tokens (prompts, N_GREEDY), and how far the second best was behind."""
    with Engine(path, mode="exact") as engine:
        engine.tokenizer.ends = set()
        chosen, margins = [], []
        for prompt in prompts:
            generation = engine.generate(prompt, max_tokens=N_GREEDY, greedy=True)
            list(generation)
            tokens = generation.sequence.tokens
            chosen.append(tokens[len(prompt) :])
            best = np.sort(engine.logits(tokens[:-1])[len(prompt) - 1 :], axis=1)
            margins.append(best[:, -1] - best[:, -2])
        return engine.logits(ids), np.array(chosen, np.int32), np.array(margins)


def compare(theirs: np.ndarray, mine: np.ndarray) -> dict[str, float]:
    return {
        "max": float(np.abs(mine.astype(np.float64) - theirs).max()),
        "nrms": nrms(mine, theirs),
        "kl": kl(theirs, mine),
        "top1": float(np.mean(np.argmax(theirs, 1) == np.argmax(mine, 1))),
    }


def first_difference(theirs: np.ndarray, mine: np.ndarray, margins: np.ndarray) -> str:
    """For each prompt "equal", or the place where the tokens part and the margin there, in
    logits.
    """
    words = []
    for a, b, margin in zip(theirs, mine, margins, strict=True):
        at = np.flatnonzero(a != b)
        words.append(f"part at {at[0]} by {margin[at[0]]:.1e}" if at.size else "equal")
    return ", ".join(words)


def table(peer: dict, files: dict[str, Path], ids: list[int], prompts: list) -> list[dict]:
    rows = []
    for name in FORMATS:
        mine, chosen, margins = ours(files[name], ids, prompts)
        theirs, twin = peer[f"logits {name}"], peer[f"logits {name} twin"]
        same, other, own = compare(theirs, mine), compare(twin, mine), compare(twin, theirs)
        greedy = first_difference(peer[f"greedy {name}"], chosen, margins)
        rows.append({"format": name, "same": same, "twin": other, "own": own, "greedy": greedy})
    return rows


def show(rows: list[dict], n: int) -> None:
    print(f"\n{n} tokens, {N_GREEDY} greedy tokens after each of {len(PROMPTS)} prompts")
    titles = ("minengine - llama.cpp, same file", "minengine - llama.cpp, twin")
    print(f"{'':6}| {titles[0]:^37} | {titles[1]:^37} | {'llama.cpp: file - twin':^23}|")
    head = f"{'max':>8} {'nrms':>8} {'KL':>8} {'top-1':>8}"
    print(f"{'':6}|  {head}  |  {head}  | {'nrms':>8} {'KL':>8}     | greedy text")
    for r in rows:
        cells = []
        for part in ("same", "twin"):
            c = r[part]
            cells.append(f"  {c['max']:8.1e} {c['nrms']:8.1e} {c['kl']:8.1e} {c['top1']:8.3f}  ")
        cells.append(f" {r['own']['nrms']:8.1e} {r['own']['kl']:8.1e}     ")
        print(f"{r['format']:6}|" + "|".join(cells) + f"| {r['greedy']}")


def write_golden(folder: Path, peer: dict, files: dict, ids: list[int], prompts: list) -> None:
    arrays = {"ids": np.array(ids, np.int32), "rows": np.array(ROWS, np.int32)}
    for name in FORMATS:
        arrays[f"logits {name}"] = peer[f"logits {name}"][list(ROWS)]
        arrays[f"twin {name}"] = peer[f"logits {name} twin"][list(ROWS)]
    for name in ("F32", "F16"):
        arrays[f"greedy {name}"] = peer[f"greedy {name}"].astype(np.int16)
    vocabularies = {}
    for label, change in VARIANTS.items():
        tokens, pieces = (json.loads(str(peer[f"{part} {label}"])) for part in ("tokens", "pieces"))
        vocabularies[label] = {"change": change, "tokens": tokens, "pieces": pieces}
    found = {
        "made_by": f"bench/peer_logits.py with llama-cpp-python {peer['version']}",
        "digests": {name: digest(files[name]) for name in FORMATS},
        "prompts": prompts,
        "texts": [t.hex() for t in TEXTS],
        "vocabularies": vocabularies,
    }
    store(folder / "llamacpp.json", found)
    path = folder / "llamacpp.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path}: {path.stat().st_size:,} bytes")


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("model", type=Path)
    flags.add_argument("--csv", type=Path, help="write the table to this file too")
    args = flags.parse_args()
    files = make_files(args.model, args.work)
    with Engine(args.model, mode="exact") as engine:
        ids, n_vocab = engine.tokenize(TEXT)[:N_TOKENS], engine.model.hparams.V
        prompts = [engine.tokenize(p) for p in PROMPTS]
    peer = ask_peer(args.peer, files, ids, prompts, n_vocab)
    rows = table(peer, files, ids, prompts)
    show(rows, len(ids))
    if args.csv:
        with args.csv.open("w", newline="") as f:
            out = csv.writer(f)
            keys = ("max", "nrms", "kl", "top1")
            out.writerow(
                ["format", *(f"{p}_{k}" for p in ("same", "twin", "own") for k in keys), "greedy"]
            )
            for r in rows:
                cells = [r[p][k] for p in ("same", "twin", "own") for k in keys]
                out.writerow([r["format"], *cells, r["greedy"]])
    if args.golden:
        write_golden(args.golden, peer, files, ids, prompts)


if __name__ == "__main__":
    main()
