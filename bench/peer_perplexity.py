"""Is a perplexity comparable with others' numbers? minengine and llama.cpp by llama.cpp's method.

    python bench/peer_perplexity.py TEXT --peer PEER/bin/python [--model FILE ...] [--window 512]
        [--golden DIR]

For each FILE (the packaged model where none is given): tokens, perplexity, and -ln p of every
scored token, beside llama.cpp's on the twin, which is the file with its weights as F32. Gates: the
same tokens; nats of a token apart by 5e-5 (rms) in exact mode, 2e-3 where the gate is GELU, which
llama.cpp reads from a table of halves. The difference grows with the window (1.4e-6 at 64, 8e-6 at
512): llama.cpp's angles of rotation are float32 products, ours float64. Fast mode and llama.cpp on
the file itself round activations and are printed beside that. Exits with 1 where a gate is missed.
``--golden`` stores llama.cpp's nats on a short text for ``tests/minengine/test_peer_texts.py``.
PEER is an environment with llama-cpp-python, see ``peer_logits.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from peer import ask, parser
from peer_logits import TEXT

from minengine import Engine
from minengine.engine import packaged_model
from minengine.perplexity import chunks, surprise
from minengine.requantize import requantize

GATES = {"silu": 5e-5, "gelu": 2e-3}
GOLDEN_WINDOW = 64


def ours(path: Path, text: bytes, window: int, mode: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Tokens, nats of each scored one, the model's gate function."""
    with Engine(path, mode=mode, context=window) as engine:
        found, first = chunks(engine, text, window), window // 2
        nats = [
            surprise(np.concatenate([r for _, r in engine.rows([chunk[:-1]], first=first)]), scored)
            for chunk, scored in zip(found.tolist(), found[:, first + 1 :], strict=True)
        ]
        return found, np.array(nats), engine.model.arch.gate


def with_error(nats: np.ndarray) -> str:
    value = np.exp(nats.mean())
    return f"{value:10.5f} +/- {value * nats.std() / np.sqrt(nats.size - 1):.5f}"


def compare(path: Path, text: bytes, window: int, python: str, work: Path) -> bool:
    twin = work / "twin.gguf"
    requantize(path, twin, "F32")
    job = {"perplexity": {"file": path, "twin": twin}, "text": text.hex(), "window": window}
    peer = ask(python, "peer_llamacpp.py", work, job)
    ids, exact, gate = ours(path, text, window, "exact")
    _, fast, _ = ours(path, text, window, "fast")
    twin.unlink()
    same = np.array_equal(ids, peer["ids twin"])
    print(f"{path.name}: {len(ids)} chunks of {window}, tokens {'equal' if same else 'DIFFER'}")
    if not same:
        return False
    want = peer["nats twin"]
    for label, nats in (
        ("llama.cpp, twin", want),
        ("minengine, exact", exact),
        ("minengine, fast", fast),
        ("llama.cpp, file", peer["nats file"]),
    ):
        apart = nats - want
        print(f"  {label:18} {with_error(nats)}   nats a token apart: rms "
              f"{np.sqrt(np.mean(apart**2)):.1e}, mean {apart.mean():+.1e}")  # fmt: skip
    return bool(np.sqrt(np.mean((exact - want) ** 2)) < GATES[gate])


def write_golden(folder: Path, python: str, work: Path) -> None:
    twin = work / "twin.gguf"
    requantize(packaged_model(), twin, "F32")
    job = {"perplexity": {"twin": twin}, "text": TEXT.encode().hex(), "window": GOLDEN_WINDOW}
    peer = ask(python, "peer_llamacpp.py", work, job)
    arrays = {"text": np.array(TEXT), "ids": peer["ids twin"], "nats": peer["nats twin"]}
    np.savez_compressed(folder / "perplexity.npz", **arrays)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("text", type=Path, help="a text file")
    flags.add_argument("--model", type=Path, action="append", default=[])
    flags.add_argument("--window", type=int, default=512)
    flags.add_argument("--bytes", type=int, default=60000, help="of the text, from its end")
    args = flags.parse_args()
    text = args.text.read_bytes()[-args.bytes :]
    models = args.model or [Path(packaged_model())]
    passed = [compare(path, text, args.window, args.peer, args.work) for path in models]
    if args.golden:
        write_golden(args.golden, args.peer, args.work)
    print(f"{passed.count(False)} gates missed")
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
