"""Is fast mode accurate? Its divergence from the exact weights beside llama.cpp's own.

    python bench/peer_fast.py --peer PEER/bin/python [--model FILE ...] [--formats Q8_0,Q4_K]

For a random model of each architecture and each quantized format, and for each FILE: KL(twin ||
minengine, fast) and KL(twin || llama.cpp), mean over tokens in nats; the twin is the file with its
weights as F32, run by llama.cpp with an F32 cache. Gate: ours at most 1.1 times theirs, on the same
tokens. Exits with 1 where it is missed. PEER is an environment with llama-cpp-python, see
``peer_logits.py``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from peer_architectures import SIZES, ask_peer

from minengine import Engine, oracle, random_model
from minengine.arch import ARCHITECTURES
from minengine.formats import FORMATS
from minengine.requantize import requantize

MORE = 1.1
N_TOKENS = 200
TEXT = Path(__file__).with_name("peer_logits.py")  # any text of a few thousand characters


def kl(want: np.ndarray, got: np.ndarray) -> float:
    p, q = oracle.softmax(want), oracle.softmax(got)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0)
    return float(np.mean(terms.sum(axis=1)))


def compare(path: Path, ids: list[int], python: str, work: Path) -> tuple[float, float]:
    """KL of ours and of llama.cpp from the twin."""
    twin = work / "twin.gguf"
    requantize(path, twin, "F32")
    peer = ask_peer(python, work, {"file": path, "twin": twin}, ids)
    twin.unlink()
    with Engine(path, mode="fast") as engine:
        mine = engine.logits(ids)
    return kl(peer["logits twin"], mine), kl(peer["logits twin"], peer["logits file"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", required=True, help="a Python that has llama-cpp-python")
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--formats", default=",".join(n for n, f in FORMATS.items() if f.has_codes))
    parser.add_argument("--work", type=Path, default=Path("build/peer"))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    missed, path = [], args.work / "fast.gguf"
    print(f"{'':28} {'minengine':>10} {'llama.cpp':>10}  ratio")

    def row(label: str, mine: float, theirs: float) -> None:
        print(f"{label:28} {mine:10.2e} {theirs:10.2e}  {mine / theirs:.2f}", flush=True)
        if not mine <= MORE * theirs:
            missed.append(label)

    for model in args.model:
        with Engine(model) as engine:
            ids = engine.tokenize(TEXT.read_text(encoding="utf-8"))[:N_TOKENS]
        row(model.name, *compare(model, ids, args.peer, args.work))
    for arch in ARCHITECTURES:
        for form in filter(None, args.formats.split(",")):
            variant = random_model.VARIANTS[arch]
            options = {**SIZES, **variant.options}
            random_model.write(
                path, arch, form, seed=3, keys={**variant.keys, "context_length": 256}, **options
            )
            ids = np.random.default_rng(6).integers(3, SIZES["V"], N_TOKENS).tolist()
            row(f"{arch} {form}", *compare(path, ids, args.peer, args.work))
    print(f"{len(missed)} gates missed" + "".join(f"\n  {m}" for m in missed))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
