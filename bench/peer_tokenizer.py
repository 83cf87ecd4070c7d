"""Are the tokenizers right? Vectors of vocabulary files, random texts against llama.cpp.

    python bench/peer_tokenizer.py FOLDER --peer PEER/bin/python [--count 100000] [--golden DIR]

FOLDER has llama.cpp's ``ggml-vocab-*.gguf`` files with their ``.inp`` and ``.out``: the source
distribution of llama-cpp-python carries them in ``vendor/llama.cpp/models``. PEER is an environment
with llama-cpp-python, see ``peer_logits.py``. Exits with 1 where a text differs. ``--golden``
stores small vocabularies, texts and llama.cpp's ids for ``tests/minengine/test_pretokenizers.py``.
"""

from __future__ import annotations

import json
import random
import sys
import unicodedata
from collections import Counter
from itertools import pairwise
from pathlib import Path

from peer import ask, parser, store

from minengine import gguf, gguf_writer
from minengine.bpe import ALPHABET
from minengine.errors import EngineError
from minengine.pretokenizers import PRETOKENIZERS
from minengine.tokenizer import Tokenizer

RANDOM_ON = ("llama-bpe", "qwen2", "llama-spm", "gpt-2", "deepseek-llm", "falcon", "phi-3")
SEPARATOR = "\n__ggml_vocab_test__\n"
BITS = (
    "'s", "'LL", "'re", " the", "Hello", "hello WORLD", "CamelCaseWord", "  ", "\n", "\r\n", "\t",
    " \n \n", "0", "12", "3456789", "²½", "½", "!", "?!", "...", "$5.00", "a_b", "<s>", "<|end|>",
    "é", "e\u0301", "ß", "日本", "語テスト", "ひらがな", "한국어", "русский", "Ελλάδα",
    "עברית", "عربي", "हिन्दी", "ไทย", "😀", "👩‍👩‍👧", "🏳️‍🌈", "\u00a0", "\u2003", "\u3000", "\u200b",
    "\ufeff", "—", "“”", "…", "€", "\u2581", "\0", "\x1f", "\x85", "\x7f",
)  # fmt: skip


def random_text(rng: random.Random) -> str:
    """Scripts, white space, digits, contractions, marks and any assigned character, mixed."""
    out = []
    for _ in range(rng.randrange(1, 24)):
        kind = rng.random()
        if kind < 0.55:
            out.append(rng.choice(BITS))
        elif kind < 0.75:
            out.append("".join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(1, 8))))
        else:
            out.append(random_character(rng))
    return "".join(out)


def random_character(rng: random.Random) -> str:
    """Any character that has a meaning, most from the lower planes."""
    while True:
        c = chr(rng.randrange(0x110000) if rng.random() < 0.2 else rng.randrange(0x3000))
        if unicodedata.category(c) not in ("Cn", "Cs", "Co"):
            return c


def load(path: Path) -> Tokenizer:
    with gguf.open(path) as file:
        return Tokenizer(file.metadata)


def vectors(path: Path) -> tuple[int, int]:
    """How many texts of a vocabulary's vectors there are, and how many come out as they should."""
    tokenizer = load(path)
    texts = path.with_suffix(".gguf.inp").read_text(encoding="utf-8").split(SEPARATOR)
    rows = path.with_suffix(".gguf.out").read_text(encoding="utf-8").split("\n")
    good = 0
    for text, row in zip(texts, rows, strict=False):
        want = [int(i) for i in row.split()]
        got = tokenizer.encode(text, add_special=False)
        good += got == want
        if got != want:
            print(f"  {path.name}: {text!r}\n    got  {got}\n    want {want}")
    return len(texts), good


def ask_peer(python: str, work: Path, files: dict[str, Path], texts: list[bytes]) -> dict:
    job = {"vocabularies": files, "n_vocab": 0, "texts": [t.hex() for t in texts]}
    found = ask(python, "peer_llamacpp.py", work, job)
    return {
        k: json.loads(str(found[f"tokens {k}"])) | {"ends": found[f"ends {k}"].tolist()}
        for k in files
    }


def compare(label: str, path: Path, texts: list[str], theirs: dict) -> int:
    """Texts whose ids differ, shown up to five."""
    tokenizer, differ, lost = load(path), 0, 0
    for text, want in zip(texts, theirs["00"], strict=True):
        got = tokenizer.encode(text, add_special=False)
        differ += got != want
        lost += tokenizer.decode(got) != text
        if got != want and differ <= 5:
            print(f"  {label}: {text!r}\n    got  {got}\n    want {want}")
    ends = sorted(tokenizer.ends ^ set(theirs["ends"]))
    print(
        f"{label:16} {len(texts)} random texts: {differ} differ, {lost} do not come back;", end=" "
    )
    print(f"ends that differ: {[tokenizer.texts[i].decode() for i in ends]}")
    return differ + len(ends)


# The small vocabularies of the golden file ------------------------------------------------------

N_MERGES = 400
PRES = (
    *("default", "llama-bpe", "qwen2", "gpt-2", "smollm", "gpt-4o", "tekken", "falcon"),
    *("deepseek-llm", "deepseek-coder", "deepseek-v3"),
)


def train(texts: list[str]) -> list[tuple[str, str]]:
    """The merges of a small vocabulary: the commonest pair of neighbours, again and again."""
    split = PRETOKENIZERS["gpt-2"].split
    words = Counter("".join(ALPHABET[b] for b in w.encode()) for t in texts for w in split(t))
    symbols, merges = {w: list(w) for w in words}, []
    for _ in range(N_MERGES):
        pairs: Counter = Counter()
        for word, n in words.items():
            for pair in pairwise(symbols[word]):
                pairs[pair] += n
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for word, s in symbols.items():
            i = 0
            while i < len(s) - 1:
                if (s[i], s[i + 1]) == best:
                    s[i : i + 2] = ["".join(best)]
                i += 1
            symbols[word] = s
    return merges


def small_vocabulary(pre: str, merges: list[tuple[str, str]]) -> dict:
    """Metadata of a vocabulary: bytes, merged symbols and one control token."""
    tokens = list(dict.fromkeys([*ALPHABET.values(), *map("".join, merges)]))
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*tokens, "<|end|>"],
        "tokenizer.ggml.token_type": [*[1] * len(tokens), 3],
        "tokenizer.ggml.merges": [f"{a} {b}" for a, b in merges],
    }


def write_golden(folder: Path, work: Path, python: str) -> None:
    rng, files = random.Random(2), {}
    merges = train([random_text(rng) for _ in range(400)] + ["Hello hello the WORLD 'll 's "] * 50)
    texts = [*BITS, *(random_text(rng) for _ in range(90))]
    for pre in PRES:
        files[pre] = work / f"small-{pre}.gguf"
        gguf_writer.write(files[pre], small_vocabulary(pre, merges), {})
    theirs = ask_peer(python, work, files, [t.encode() for t in texts])
    found = {"merges": [f"{a} {b}" for a, b in merges], "texts": texts, "ids": theirs}
    found["ids"] = {k: {key: v[key] for key in ("00", "11")} for k, v in theirs.items()}
    store(folder / "pretokenizers.json", found)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("folder", type=Path)
    flags.add_argument("--count", type=int, default=100_000)
    args = flags.parse_args()
    if args.golden:
        write_golden(args.golden, args.work, args.peer)
    failed, files = 0, {}
    for path in sorted(args.folder.glob("ggml-vocab-*.gguf")):
        name = path.stem.removeprefix("ggml-vocab-")
        try:
            tokenizer = load(path)
        except EngineError as e:
            print(f"{name:16} not covered: {str(e)[:80]}")
            continue
        if not path.with_suffix(".gguf.inp").exists():
            print(f"{name:16} {tokenizer.model} {tokenizer.pre}: loads; no vectors come with it")
            continue
        n, good = vectors(path)
        failed += n - good
        print(f"{name:16} {tokenizer.model} {tokenizer.pre}: {good} of {n} vectors")
        if name in RANDOM_ON:
            files[name] = path
    rng = random.Random(1)
    texts = [random_text(rng) for _ in range(args.count)]
    if texts:
        theirs = ask_peer(args.peer, args.work, files, [t.encode() for t in texts])
        failed += sum(compare(name, path, texts, theirs[name]) for name, path in files.items())
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
