"""Is fast mode accurate? Its divergence from the exact weights beside llama.cpp's own.

    python bench/peer_fast.py --peer PEER/bin/python [--model FILE ...] [--formats Q8_0,Q4_K]

For a random model of each architecture and each quantized format, and for each FILE: KL(twin ||
minengine, fast) and KL(twin || llama.cpp), mean over tokens in nats; the twin is the file with its
weights as F32, run by llama.cpp with an F32 cache. Gate: ours at most 1.1 times theirs, on the same
tokens. Exits with 1 where it is missed. PEER is an environment with llama-cpp-python, see
``peer_logits.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from peer import ask, finish, kl, parser
from peer_architectures import SIZES, write

from minengine import Engine
from minengine.arch import ARCHITECTURES
from minengine.formats import FORMATS
from minengine.requantize import requantize

MORE = 1.1
N_TOKENS = 200
TEXT = Path(__file__).with_name("peer_logits.py")  # any text of a few thousand characters


def compare(path: Path, ids: list[int], python: str, work: Path) -> tuple[float, float]:
    """KL of ours and of llama.cpp from the twin."""
    twin = work / "twin.gguf"
    requantize(path, twin, "F32")
    job = {"logits": {"file": path, "twin": twin}, "ids": ids}
    peer = ask(python, "peer_llamacpp.py", work, job)
    twin.unlink()
    with Engine(path, mode="fast") as engine:
        mine = engine.logits(ids)
    return kl(peer["logits twin"], mine), kl(peer["logits twin"], peer["logits file"])


def main() -> None:
    flags = parser(__doc__, golden=False)
    flags.add_argument("--model", type=Path, action="append", default=[])
    flags.add_argument("--formats", default=",".join(n for n, f in FORMATS.items() if f.has_codes))
    args = flags.parse_args()
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
            write(path, arch, form, seed=3, context_length=256)
            ids = np.random.default_rng(6).integers(3, SIZES["V"], N_TOKENS).tolist()
            row(f"{arch} {form}", *compare(path, ids, args.peer, args.work))
    finish(missed)


if __name__ == "__main__":
    main()
