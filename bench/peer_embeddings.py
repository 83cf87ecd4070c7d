"""Are embeddings right? minengine and llama.cpp on the same texts, for every pooling.

    python bench/peer_embeddings.py --peer PEER/bin/python [--model FILE ...] [--golden DIR]

For each FILE (the packaged model where none is given) and a random model of each architecture: nrms
between minengine's vectors, exact mode, not normalized, and llama.cpp's on the twin, which is the
file with its weights as F32. Gates: 1e-5, and 1e-3 where the gate is GELU, which llama.cpp reads
from a table of halves. Exits with 1 where one is missed. ``--golden`` stores llama.cpp's vectors
for ``tests/minengine/test_peer_texts.py``. PEER is an environment with llama-cpp-python, see
``peer_logits.py``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from peer import GATES, ask, finish, nrms, parser
from peer_architectures import write

from minengine import Engine
from minengine.arch import ARCHITECTURES
from minengine.embeddings import POOLING
from minengine.engine import packaged_model
from minengine.requantize import requantize

SENTENCES = [
    "ROMEO:",
    "But, soft! what light through yonder window breaks?",
    "na\u00efve \U0001f600",
]
CONTEXT = 128  # a byte a token


def compare(path: Path, label: str, python: str, work: Path) -> tuple[dict, list[str]]:
    """llama.cpp's vectors and the poolings whose gate was missed."""
    twin = work / "embeddings-twin.gguf"
    requantize(path, twin, "F32")
    job = {"embeddings": {"twin": twin}, "sentences": SENTENCES, "poolings": list(POOLING)}
    peer, errors = ask(python, "peer_llamacpp.py", work, job), {}
    twin.unlink()
    with Engine(path, mode="exact") as engine:
        most = GATES[engine.model.arch.gate]
        for pooling in POOLING:
            got = engine.embed(SENTENCES, pooling=pooling, normalize=False)
            want = [peer[f"{pooling} {i} twin"] for i in range(len(SENTENCES))]
            errors[pooling] = nrms(np.vstack(got), np.vstack(want))
    cells = " ".join(f"{e:7.1e}" for e in errors.values())
    print(f"{label:28} {most:7.0e} {cells}", flush=True)
    return peer, [f"{label} {p}" for p, e in errors.items() if not e < most]


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--model", type=Path, action="append", default=[])
    args = flags.parse_args()
    print(f"{'nrms':28} {'gate':>7} " + " ".join(f"{p:>7}" for p in POOLING))
    golden, missed = {"sentences": np.array(SENTENCES)}, []
    for path in args.model or [Path(packaged_model())]:
        peer, over = compare(path, path.name, args.peer, args.work)
        missed += over
        if path == Path(packaged_model()):
            golden |= {
                f"{p} {i} packaged": peer[f"{p} {i} twin"]
                for p in POOLING for i in range(len(SENTENCES))
            }  # fmt: skip
    for arch in ARCHITECTURES:
        path = args.work / "embeddings.gguf"
        write(path, arch, context_length=CONTEXT)
        peer, over = compare(path, arch, args.peer, args.work)
        missed += over
        golden |= {f"mean {i} {arch}": peer[f"mean {i} twin"] for i in range(len(SENTENCES))}
        golden[f"digest {arch}"] = np.array(hashlib.sha256(path.read_bytes()).hexdigest())
        path.unlink()
    if args.golden:
        np.savez_compressed(args.golden / "embeddings.npz", **golden)
    finish(missed)


if __name__ == "__main__":
    main()
