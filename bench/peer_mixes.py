"""Does every matrix get the format that llama.cpp's quantizer gives it, under each mix's name?

    python bench/peer_mixes.py --peer PEER/bin/python [--golden DIR] [MODEL.gguf ...]

PEER is an environment with llama-cpp-python, see ``peer_logits.py``. Random models of several
shapes, and models given, are written out as F32 and quantized by llama.cpp: to the mixes, and to
each format alone (``--pure``). Prints how many matrices get which format, and exits with 1 where
one differs. ``--golden`` stores shapes and formats for ``tests/minengine/test_requantize.py``.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from peer import ask, parser, store

from minengine import gguf, random_model
from minengine.requantize import FILE_TYPES, MIXES, fitting, formats_for, requantize

WIDE = {"D": 256, "F": 256, "E": 256, "H": 1, "G": 1}
CASES = {
    "llama, head of its own": ("llama", WIDE | {"n_layers": 17, "tied": False}),
    "gemma3": ("gemma3", WIDE | {"n_layers": 18}),
    "phi3, fused": ("phi3", WIDE | {"n_layers": 9, "fused": True, "tied": False}),
    "biases, rows of 96 and 160": ("llama", {"D": 96, "F": 160, "n_layers": 9, "biases": True}),
    "rows of 40": ("llama", {"D": 40, "n_layers": 3}),
}
# llama.cpp has no type of its own for MXFP4 outside mixtures of experts
PURE = [name for name in FILE_TYPES if name not in MIXES and name != "MXFP4"]


def theirs(python: str, work: Path, source: Path) -> dict[str, dict[str, str]]:
    """What llama.cpp gives each matrix of a file, under every name."""
    names = (*MIXES, *PURE)
    paths = {name: work / f"peer-{name}.gguf" for name in names}
    jobs = [(source, paths[n], FILE_TYPES[n], n in PURE) for n in names]
    ask(python, "peer_llamacpp.py", work, {"quantize": jobs})
    found = {}
    for name, path in paths.items():
        with gguf.open(path) as file:
            found[name] = {t.name: t.format for t in file.tensors.values() if len(t.shape) > 1}
        path.unlink()
    return found


def compare(label: str, source: Path, peer: dict[str, dict[str, str]]) -> tuple[int, dict]:
    """Print a line for each name -> how many matrices differ, and what the golden file keeps."""
    with gguf.open(source) as file:
        matrices = {t.name: t for t in file.tensors.values() if len(t.shape) > 1}
        n_differ = 0
        for name, want in peer.items():
            wanted = formats_for(file.tensors, name)
            got = {n: fitting(wanted[n], t.shape[-1]) for n, t in matrices.items()}
            wrong = [f"{n} {got[n]}, theirs {want[n]}" for n in matrices if got[n] != want[n]]
            counts = ", ".join(f"{n} {form}" for form, n in Counter(want.values()).most_common())
            verdict = "; ".join(wrong[:3]) if wrong else "agree"
            print(f"{label:28} {name:7} {counts:32} {verdict}", flush=True)
            n_differ += len(wrong)
        shapes = {n: t.shape for n, t in matrices.items()}
    kept = {name: [peer[name][n] for n in matrices] for name in MIXES}
    return n_differ, {"shapes": shapes, "formats": kept}


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("models", nargs="*", type=Path)
    args = flags.parse_args()
    source, failed, golden = args.work / "source.gguf", 0, {}
    for label, (arch, options) in CASES.items():
        random_model.write(source, arch, **options)
        n_differ, golden[label] = compare(label, source, theirs(args.peer, args.work, source))
        failed += n_differ
    for model in args.models:
        requantize(model, source, "F32")
        failed += compare(model.stem, source, theirs(args.peer, args.work, source))[0]
    source.unlink()
    if args.golden:
        store(args.golden / "mixes.json", golden)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
