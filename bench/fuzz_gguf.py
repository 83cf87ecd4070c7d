"""Does any mutated model file crash, hang, or eat memory? Each is loaded and, if it loads, run.

Each mutation of a small valid file (bytes flipped, the file cut, a number or length in the header
changed, bytes put in or taken out, weights made into garbage) must end in an exception of ours or
in logits. Mutations run in child processes under a memory limit; one that kills or stalls its child
is reported with the command that repeats it.

    python bench/fuzz_gguf.py --count 10000 --seed 1

Exit status: 0 where every mutation ended well, 1 otherwise. For the strictest run build with
MINENGINE_DEBUG=1 first.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from minengine import gguf, random_model
from minengine.batch import Batch
from minengine.engine import Engine
from minengine.errors import EngineError
from minengine.formats import FORMATS
from minengine.graph import forward
from minengine.kvcache import BlockPool
from minengine.model import Model

MEMORY_BYTES = 2**30  # over what the child has mapped when it starts
CHILD_S = 60.0  # a child that says nothing for so long hangs
BATCH = 500  # mutations a child
KINDS = {"flip": 2, "number": 3, "cut": 1, "insert": 1, "delete": 1, "noise": 4}  # how often
INTERESTING = (0, 1, 2, 31, 32, 255, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32)
INTERESTING += (2**40, 2**60, 2**63 - 1, 2**63, 2**64 - 1)


# The valid files ----------------------------------------------------------------------------------


def valid_files(folder: Path) -> list[Path]:
    """A small model of every variant of every architecture, its matrices in all formats."""
    paths = []
    for i, variant in enumerate(random_model.VARIANTS.values()):
        paths.append(folder / f"valid{i}.gguf")
        wide = {"D": 256, "F": 256, "E": 64} if i % 2 else {"D": 32, "F": 64, "E": 64}
        options = {"H": 4, "G": 2, "V": 40} | wide | {**variant.options, "n_layers": 2}
        random_model.write(
            paths[-1], variant.arch, seed=i, keys=variant.keys, change=in_every_format, **options
        )
    return paths


def in_every_format(metadata: dict, tensors: dict) -> None:
    """Each matrix gets the next format that its rows fit; the metadata a kind of value more."""
    metadata["test.flags"] = np.array([True, False])
    names = [n for n in FORMATS if n != "F32"]
    for i, (name, (_, shape, raw)) in enumerate(tensors.items()):
        usable = [n for n in names if shape[-1] % FORMATS[n].block_size == 0]
        if len(shape) == 2:
            form = usable[i % len(usable)]
            values = FORMATS["F32"].dequantize(raw)
            tensors[name] = (form, shape, FORMATS[form].quantize(values))


# Mutations ----------------------------------------------------------------------------------------


class Recorder(gguf.Cursor):
    """Notes where the reader reads numbers: that is where lengths, types and offsets stand."""

    def __init__(self, data) -> None:
        super().__init__(data)
        self.numbers: list[tuple[int, str]] = []

    def number(self, code: str, what: str):
        self.numbers.append((self.at, code))
        return super().number(code, what)


def numbers_of(data: bytes) -> tuple[list[tuple[int, str]], int]:
    """(offset, type) of every number in the header, and where it ends or cannot be read further."""
    cursor = Recorder(data)
    with contextlib.suppress(EngineError):
        _, n_tensors, n_pairs = gguf._header(cursor)
        pairs = gguf._metadata(cursor, n_pairs)
        gguf._directory(cursor, n_tensors, gguf._alignment(pairs))
    return cursor.numbers, cursor.at


def mutate(data: bytes, numbers: list[tuple[int, str]], head: int, rng: random.Random) -> bytes:
    """The file changed in one to three ways."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(head if rng.random() < 0.7 else len(data)) % max(len(data), 1)
        kind = rng.choices(list(KINDS), KINDS.values())[0]
        if kind == "flip":
            for _ in range(rng.randrange(1, 9)):
                data[(at + rng.randrange(64)) % len(data)] ^= 1 << rng.randrange(8)
        elif kind == "number":
            at, code = rng.choice(numbers)
            n = struct.calcsize("<" + code)
            old = int.from_bytes(data[at : at + n], "little")
            near = (old + 1, old - 1, old * 2, old // 2, rng.randrange(256))
            new = rng.choice((*INTERESTING, *near))
            data[at : at + n] = (new % 256**n).to_bytes(n, "little")
        elif kind == "cut":
            del data[at:]
        elif kind == "insert":
            data[at:at] = rng.randbytes(rng.choice((1, 4, 8, 32)))
        elif kind == "delete":
            del data[at : at + rng.choice((1, 4, 8, 32))]
        else:  # garbage weights: NaN, infinities and every code
            start = rng.randrange(min(head, len(data)), len(data) + 1)
            n = min(rng.choice((16, 512, 8192)), len(data) - start)
            noise = rng.choice((rng.randbytes(n), b"\xff" * n, b"\x7f\x80" * n))
            data[start : start + n] = noise[:n]
        if not data:
            break
    return bytes(data)


def outcome(path: Path) -> str:
    """Load the file, compute logits exactly, generate text in fast mode: how far it came."""
    try:
        with gguf.open(path) as file:
            for value in file.metadata.values():
                if isinstance(value, gguf.Strings):
                    list(value)
            model = Model.load(file)
            h = model.hparams
            pool = BlockPool(2, 2, h.n_layers, h.G, h.E)
            for start in (0, 2):
                ids = [0, h.V - 1]
                logits = forward(model, Batch.of([(ids, start, [1, 0])], 2), pool, n_threads=2)
        if logits.shape != (1, h.V):
            return f"shape {logits.shape}"
    except EngineError as e:
        return type(e).__name__
    try:
        with Engine(path, n_threads=2, mode="fast") as engine:
            "".join(engine.generate("a cab", max_tokens=2, seed=1))
        return "text"
    except EngineError as e:
        return f"logits, then {type(e).__name__}"


# Parent and child ---------------------------------------------------------------------------------


def child(args: argparse.Namespace) -> None:
    """Run mutations first .. first + count - 1, one line each, printed before and after."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES,) * 2)
    paths = [Path(p) for p in args.files]
    known = [(data, *numbers_of(data)) for data in map(Path.read_bytes, paths)]
    target = paths[0].with_name(f"mutated{args.first}.gguf")
    for i in range(args.first, args.first + args.count):
        rng = random.Random(f"{args.seed}/{i}")
        target.write_bytes(mutate(*rng.choice(known), rng))
        print(f"start {i}", flush=True)
        began = time.perf_counter()
        try:
            result = outcome(target)
        except Exception as e:  # noqa: BLE001 - anything that is not ours is a finding
            result = f"FOREIGN {type(e).__name__}: {e}"
        print(f"end {i} {time.perf_counter() - began:.4f} {result}", flush=True)
    target.unlink(missing_ok=True)


def run_batch(args: argparse.Namespace, first: int, count: int, files: list[Path]) -> list[str]:
    """The lines of one child; a child that died or stalled gets a line that says so."""
    command = [sys.executable, __file__, "--child", "--seed", str(args.seed)]
    command += ["--first", str(first), "--count", str(count), *map(str, files)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=log)
        try:
            status = process.wait(CHILD_S + 0.1 * count)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = "hang"
        log.seek(0)
        lines = log.read().splitlines()
    started = [line for line in lines if line.startswith("start")]
    if status != 0:
        number = started[-1].split()[1] if started else first
        lines.append(f"end {number} 0 CRASH {status}")
    return [line for line in lines if line.startswith("end")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="mutations to try")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return 0
    results: Counter[str] = Counter()
    bad, slowest, at, end = [], 0.0, args.first, args.first + args.count
    with tempfile.TemporaryDirectory() as folder:
        files = valid_files(Path(folder))
        while at < end:
            for line in run_batch(args, at, min(BATCH, end - at), files):
                _, number, seconds, result = line.split(" ", 3)
                results[result.split(":")[0]] += 1
                slowest, at = max(slowest, float(seconds)), int(number) + 1
                if result.split()[0] in ("CRASH", "FOREIGN", "shape"):
                    bad.append(f"--seed {args.seed} --first {number} --count 1: {result}")
    if args.json:
        print(json.dumps({"results": results, "bad": bad, "slowest_s": slowest}))
    else:
        for result, n in results.most_common():
            print(f"{n:6d}  {result}")
        print(
            f"slowest {slowest:.3f} s;",
            f"{len(bad)} bad" if bad else "all ended well",
            *bad,
            sep="\n",
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
