"""Does any file crash, hang or flood the reader? Led by the lines that an input reaches (atheris).

Small valid files of every variant, format and vocabulary, and of a model in parts, are changed:
bytes by libFuzzer, numbers and lengths where ``fuzz_gguf.py`` finds them, and whole keys, values,
tokens and tensors in files that stay well formed. What reaches a new branch of the reader is kept
and changed again. Each input is opened, its model bound and texts tokenized by its vocabulary; only
the engine's own exceptions may come out, and no warning.

    pip install '.[fuzz]'
    python bench/fuzz_gguf_guided.py --minutes 25 --corpus build/fuzz
    python bench/fuzz_gguf_guided.py --coverage --corpus build/fuzz     what the corpus reaches
    python bench/fuzz_gguf_guided.py --replay build/fuzz/findings/crash-...

A finding ends the run, is named on the last lines and lies in CORPUS/findings.
"""

from __future__ import annotations

import argparse
import inspect
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import atheris
import numpy as np

with atheris.instrument_imports(include=["minengine"]):
    from minengine import bpe, gguf, gguf_writer, hparams, model, pretokenizers, spm, tokenizer

from fuzz_gguf import INTERESTING, mutate, numbers_of

from minengine import random_model
from minengine.arch import ARCHITECTURES
from minengine.errors import EngineError
from minengine.formats import FORMATS

READERS = (gguf, hparams, model, tokenizer, spm, bpe, pretokenizers)
PART = b"\n---- the next part ----\n"  # between the parts of one input
TEXT = "Hello  wörld 123\n<s></s><|end|>\u2581語\0"
LONGEST = 1 << 16  # bytes of an input
MEMORY_MB, INPUT_S = 1024, 10  # limits of the process and of one input
FOLDER = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


# Seeds --------------------------------------------------------------------------------------------

TINY = {"D": 8, "H": 1, "G": 1, "E": 64, "F": 8, "V": 24}
WIDE = {"D": 256, "H": 1, "G": 1, "E": 2, "F": 1, "V": 24, "n_layers": 1}


def seeds(folder: Path) -> Iterator[bytes]:
    """Valid files: every variant, every format, every kind of vocabulary, one model in parts."""

    def written(arch: str, **options: Any) -> bytes:
        random_model.write(folder / "seed.gguf", arch, **options)
        return (folder / "seed.gguf").read_bytes()

    for row in random_model.VARIANTS.values():
        options = TINY | dict(row.options) | {"n_layers": 2}
        yield written(row.arch, keys=row.keys, **options)
    for form in FORMATS:
        yield written("llama", change=embedding_in(form), **WIDE)
    for change in VOCABULARIES:
        yield written("llama", change=change, **TINY)
    yield PART.join(written("llama", change=half(i), **TINY) for i in range(2))


def half(i: int) -> Callable[[dict, dict], None]:
    def change(metadata: dict, tensors: dict) -> None:
        for name in list(tensors)[1 - i :: 2]:
            del tensors[name]
        metadata |= {"split.no": i, "split.count": 2}

    return change


def embedding_in(form: str) -> Callable[[dict, dict], None]:
    def change(metadata: dict, tensors: dict) -> None:
        _, shape, raw = tensors["token_embd.weight"]
        values = FORMATS["F32"].dequantize(raw)
        tensors["token_embd.weight"] = (form, shape, FORMATS[form].quantize(values))

    return change


def spm_of_all_types(metadata: dict, tensors: dict) -> None:
    """Tokens of every type, with an end by text and Phi-3's name."""
    metadata["general.name"] = "phi-3 mini"
    tokens = metadata["tokenizer.ggml.tokens"]
    tokens[3:12] = ["<0x41>", "<user>", "<unused>", "<|end|>", "<fim_pad>", "l", "ll", "", "llo"]
    metadata["tokenizer.ggml.token_type"][3:12] = [6, 4, 5, 1, 1, 1, 1, 1, 1]
    metadata |= {"tokenizer.ggml.add_eos_token": True, "tokenizer.ggml.eot_token_id": 4}


def bpe_of(pre: str) -> Callable[[dict, dict], None]:
    def change(metadata: dict, tensors: dict) -> None:
        del metadata["tokenizer.ggml.scores"]
        merges = ["l l", "H e", "He ll", "Ġ w", "1 2", "12 3", "Ċ Ċ"]
        letters = ["H", "e", "l", "o", "Ġ", "w", "1", "2", "3", "Ċ", "Ã", "¶"]
        tokens = [*letters, *(m.replace(" ", "") for m in merges), "<|end|>", "x"]
        n = len(metadata["tokenizer.ggml.tokens"])
        tokens = [*tokens, *(f"w{i}" for i in range(n))][:n]
        metadata |= {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.merges": merges,
            "tokenizer.ggml.token_type": [1] * n,
        }

    return change


RULES = {row.rules: name for name, row in pretokenizers.PRETOKENIZERS.items()}
VOCABULARIES = [spm_of_all_types, *map(bpe_of, RULES.values())]


# What is done with an input -----------------------------------------------------------------------


def read(data: bytes, folder: Path) -> str:
    """Open, bind, tokenize -> how each of the three ended."""
    parts = data.split(PART)[:9]
    paths = [folder / "m.gguf"]
    if len(parts) > 1:
        n = len(parts)
        paths = [folder / f"m-{i + 1:05}-of-{n:05}.gguf" for i in range(n)]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(part)
    ends = []
    try:
        file = gguf.open(paths[0])
        for use in (bind, tokenize):
            try:
                use(file, data)
                ends.append("fine")
            except EngineError as e:
                ends.append(type(e).__name__)
    except EngineError as e:
        ends.append(type(e).__name__)
    finally:
        for path in paths:
            path.unlink()
    return ", ".join(ends)


def bind(file: gguf.File, data: bytes) -> None:
    for value in file.metadata.values():
        if isinstance(value, gguf.Strings):
            list(value)
    model.Model.load(file, context=100)


def tokenize(file: gguf.File, data: bytes) -> None:
    """Encoding never fails and its ids are of the vocabulary, whatever the text."""
    known = tokenizer.Tokenizer(file.metadata)
    for text in (TEXT, data[-200:]):
        for special in (False, True):
            known.decode(known.encode(text, parse_special=special))
    stream = known.stream()
    for i in range(min(len(known), 64)):
        stream.push(i)


# Changes ------------------------------------------------------------------------------------------


class Mutator:
    """Changes an input in one of three ways; ``pool`` has the keys and values of the seeds."""

    def __init__(self, folder: Path, pool: dict[str, list]) -> None:
        self.path, self.pool = folder / "mutated.gguf", pool

    def __call__(self, data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        parts = data.split(PART)
        at = rng.randrange(len(parts))
        way = rng.random()
        numbers, head = numbers_of(parts[at])
        if way < 0.25 or not numbers:
            return atheris.Mutate(data, max_size)
        if way < 0.5:
            parts[at] = mutate(parts[at], numbers, head, rng)
        else:
            parts[at] = self.well_formed(parts[at], rng)
        return PART.join(parts)[:max_size]

    def well_formed(self, data: bytes, rng: random.Random) -> bytes:
        """A change in what the file says, if it is a file; its layout stays right."""
        self.path.write_bytes(data)
        try:
            with gguf.File(self.path) as file:
                metadata = {
                    k: list(v) if isinstance(v, gguf.Strings) else v
                    for k, v in file.metadata.items()
                }
                tensors = {
                    t.name: (t.format, list(t.shape), np.array(t.data))
                    for t in file.tensors.values()
                }
        except EngineError:
            return data
        for _ in range(rng.choice((1, 1, 2, 4))):
            change = rng.choice((self.key, self.key, self.value, self.token, self.tensor))
            change(metadata, tensors, rng)
        metadata.pop("general.alignment", None)  # a hostile one is the byte mutations' work
        gguf_writer.write(self.path, metadata, tensors)
        return self.path.read_bytes()

    def key(self, metadata: dict, tensors: dict, rng: random.Random) -> None:
        """A key gone, or one that another file has, under this architecture."""
        if metadata and rng.random() < 0.4:
            del metadata[rng.choice(list(metadata))]
            return
        name = rng.choice(list(self.pool))
        arch = metadata.get("general.architecture")
        prefix, _, rest = name.partition(".")
        if prefix in ARCHITECTURES and isinstance(arch, str) and rng.random() < 0.8:
            name = f"{arch}.{rest}"
        metadata[name] = rng.choice(self.pool[prefix + "." + rest])

    def value(self, metadata: dict, tensors: dict, rng: random.Random) -> None:
        """A value of another key or an extreme one; a list changed in one place or in length."""
        if not metadata:
            return
        name = rng.choice(list(metadata))
        old = metadata[name]
        if isinstance(old, np.ndarray) and old.size and rng.random() < 0.7:
            metadata[name] = old = old.copy()
            if rng.random() < 0.3:
                metadata[name] = np.concatenate([old, old])[: rng.randrange(2 * old.size)]
            elif old.dtype.kind == "f":
                old[rng.randrange(old.size)] = rng.choice((0.0, -1.0, np.inf, np.nan, 1e30))
            elif old.dtype.kind != "b":
                info = np.iinfo(old.dtype)
                choices = (0, 1, 2, 3, 4, 5, 6, 7, int(info.min), int(info.max))
                old[rng.randrange(old.size)] = rng.choice(choices)
            return
        other = rng.choice(self.pool[rng.choice(list(self.pool))])
        metadata[name] = rng.choice((other, rng.choice(INTERESTING), rng.choice(VALUES)))

    def token(self, metadata: dict, tensors: dict, rng: random.Random) -> None:
        """A token or merge changed, doubled or gone."""
        name = rng.choice(("tokenizer.ggml.tokens", "tokenizer.ggml.merges"))
        texts = metadata.get(name)
        if not isinstance(texts, list) or not texts:
            return
        i, texts = rng.randrange(len(texts)), list(texts)
        new = rng.choice((*TOKENS, texts[i] + rng.choice(TOKENS), rng.choice(texts)))
        texts[i : i + 1] = rng.choice(([new], [new], [new], [], [texts[i]] * 2))
        metadata[name] = texts

    def tensor(self, metadata: dict, tensors: dict, rng: random.Random) -> None:
        """A tensor gone, under another name, of another shape or format; data are zeros then."""
        if not tensors:
            return
        name = rng.choice(list(tensors))
        form, shape, raw = tensors.pop(name)
        way = rng.randrange(4)
        if way == 0:
            return
        if way == 1:
            name = rng.choice((f"{name}x"[-60:], name.replace("0", "1"), rng.choice(NAMES)))
            tensors[name] = (form, shape, raw)
            return
        if way == 2:
            i = rng.randrange(len(shape))
            shape[i] = max(1, rng.choice((shape[i] * 2, shape[i] + 1, shape[i] // 2)))
            shape = rng.choice((shape, shape[::-1], [*shape, 1][:4], shape[:1]))
        else:
            form = rng.choice(list(gguf.TYPE_IDS))
        _, block_size, block_bytes = gguf.TENSOR_TYPES[gguf.TYPE_IDS[form]]
        shape[-1] = -(-shape[-1] // block_size) * block_size
        n_bytes = int(np.prod(shape)) // block_size * block_bytes
        if n_bytes <= LONGEST:
            tensors[name] = (form, shape, np.zeros(n_bytes, np.uint8))


VALUES = (-1, 0.0, -1.0, 1e-30, float("nan"), float("inf"), True, "", "\0", [], ["a b", ""])
TOKENS = ("", "a", "\u2581", "<0x0A>", "<0xZZ>", "</s>", "<|fim_pad|>", "a b", "Ġ", "é", "<s>")
NAMES = ("output.weight", "rope_freqs.weight", "blk.0.attn_qkv.weight", "blk.0.attn_q.bias")


def pool_of(files: list[bytes], folder: Path) -> dict[str, list]:
    """Every key of the seeds with the values it has there, and keys that no seed has."""
    pool: dict[str, list] = {
        "llama.rope.scaling.type": ["none", "linear", "yarn", "longrope", "su"],
        "llama.rope.freq_base_swa": [1e4, 0.0],
        "llama.rope.freq_base": [1.0],
        "llama.rope.scaling.yarn_beta_fast": [16.0, 0.0, 1e-45],
        "llama.rope.scaling.yarn_beta_slow": [2.0, 0.0],
        "llama.rope.scaling.factor": [1e-45, 1e38],
        "llama.rope.scale_linear": [2.0],
        "llama.vocab_size": [24],
        "llama.expert_count": [0, 8],
        "llama.attention.sliding_window_pattern": [2, np.array([True, False])],
        "tokenizer.ggml.prefix_token_id": [1],
        "split.count": [0, 1, 2, -1],
        "split.tensors.count": [1, 20],
    }
    for data in files:
        (folder / "pool.gguf").write_bytes(data.split(PART)[0])
        with gguf.File(folder / "pool.gguf") as file:
            for key, value in file.metadata.items():
                value = list(value) if isinstance(value, gguf.Strings) else value
                pool.setdefault(key, []).append(value)
    return pool


# What a corpus reaches ----------------------------------------------------------------------------


def lines_of(code: CodeType) -> set[int]:
    """The lines of a module's functions; those of the module itself run when it is imported."""
    found = set()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            found |= lines_of(inner)
            if inner.co_flags & inspect.CO_OPTIMIZED:  # a function, no class
                found |= {line for *_, line in inner.co_lines() if line} - {inner.co_firstlineno}
    return found


def coverage(inputs: list[bytes], folder: Path) -> None:
    """Print for each file of the reader how many lines of its functions the inputs reach."""
    reached: dict[str, set[int]] = {module.__file__: set() for module in READERS}

    def trace(frame: FrameType, event: str, _: Any) -> Callable | None:
        lines = reached.get(frame.f_code.co_filename)
        if lines is None:
            return None
        lines.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    for data in inputs:
        read(data, folder)
    sys.settrace(None)
    print(f"{len(inputs)} inputs")
    for path, lines in reached.items():
        every = lines_of(compile(Path(path).read_text(encoding="utf-8"), path, "exec"))
        missed = sorted(every - lines)
        print(f"{Path(path).name:20} {len(every & lines)} of {len(every)} lines; not {missed}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--coverage", action="store_true", help="say what the corpus reaches")
    parser.add_argument("--replay", type=Path, help="one input, with the traceback if it has one")
    args = parser.parse_args()
    warnings.simplefilter("error")
    kept, findings = args.corpus / "kept", args.corpus / "findings"
    for path in (kept, findings):
        path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        if args.replay:
            print(read(args.replay.read_bytes(), folder))
            return
        valid = list(seeds(folder))
        if args.coverage:
            coverage([*valid, *(p.read_bytes() for p in kept.iterdir())], folder)
            return
        for i, data in enumerate(valid):
            (kept / f"seed{i:03}").write_bytes(data)
        options = {
            "max_total_time": int(60 * args.minutes), "rss_limit_mb": MEMORY_MB,
            "timeout": INPUT_S, "max_len": LONGEST, "seed": args.seed,
            "artifact_prefix": f"{findings}/",
        }  # fmt: skip
        atheris.Setup(
            [sys.argv[0], str(kept), *(f"-{k}={v}" for k, v in options.items())],
            lambda data: read(data, folder) and None,
            custom_mutator=Mutator(folder, pool_of(valid, folder)),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
