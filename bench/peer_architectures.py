"""Is every architecture right, in every format? minengine exactly and llama.cpp on random models.

    python bench/peer_architectures.py --peer PEER/bin/python [--formats F32,Q4_K] [--golden DIR]

For each row of ``random_model.VARIANTS`` and each format: nrms between minengine on the file and
llama.cpp on its F32 twin (the same weights written out, so llama.cpp rounds nothing), with an F32
cache and without flash attention. Gates: 1e-5, and 1e-3 where the gate is GELU, which llama.cpp
reads from a table of halves; with an F16 cache 5e-3. Exits with 1 where one is missed. ``--golden``
stores llama.cpp's logits at four places for ``tests/minengine/test_peer_architectures.py``. PEER is
an environment with llama-cpp-python, see ``peer_logits.py``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from peer import GATES, ask, finish, nrms, parser

from minengine import Engine, random_model
from minengine.arch import ARCHITECTURES
from minengine.formats import FORMATS
from minengine.requantize import requantize

SIZES = {"D": 256, "H": 4, "G": 2, "E": 64, "F": 512, "V": 320}
IDS = np.random.default_rng(5).integers(3, 320, 60).tolist()
ROWS = (0, 7, 20, 59)  # into the golden file
SEED = 11


def make(work: Path, name: str, form: str) -> tuple[Path, Path]:
    """The file of a variant in a format, and its twin in F32."""
    stem = f"{name} {form}".replace(" ", "-").replace(",", "")
    path, twin = work / f"{stem}.gguf", work / f"{stem}-twin.gguf"
    write(path, name, form)
    requantize(path, twin, "F32")
    return path, twin


def write(path: Path, name: str, form: str = "F32", *, seed: int = SEED, **keys) -> None:
    """A random model of a variant, with more metadata."""
    variant = random_model.VARIANTS[name]
    options = {**SIZES, **variant.options, "keys": {**variant.keys, **keys}}
    random_model.write(path, variant.arch, form, seed=seed, **options)


def gate(name: str) -> float:
    """What nrms may be for a variant."""
    return GATES[ARCHITECTURES[random_model.VARIANTS[name].arch].gate]


def logits(path: Path, **options) -> np.ndarray:
    with Engine(path, 1, mode="exact", **options) as engine:
        return engine.logits(IDS)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--formats", default=",".join(FORMATS))
    args = flags.parse_args()
    forms, missed, golden = args.formats.split(","), [], {}
    print(f"{'':26} {'gate':>7} " + " ".join(f"{f:>7}" for f in (*forms, "F16 kv")))
    for name in random_model.VARIANTS:
        files = {form: make(args.work, name, form) for form in forms}
        job = {"logits": {form: twin for form, (_, twin) in files.items()}, "ids": IDS}
        peer = ask(args.peer, "peer_llamacpp.py", args.work, job)
        errors = [nrms(logits(files[f][0]), peer[f"logits {f}"]) for f in forms]
        halves = nrms(logits(files[forms[0]][0], cache_format="F16"), peer[f"logits {forms[0]}"])
        cells = " ".join(f"{e:7.1e}" for e in (*errors, halves))
        print(f"{name:26} {gate(name):7.0e} {cells}", flush=True)
        missed += [f"{name} {f}" for f, e in zip(forms, errors, strict=True) if not e < gate(name)]
        missed += [f"{name} F16 cache"] if not halves < 5e-3 else []
        golden[f"logits {name}"] = peer[f"logits {forms[0]}"][list(ROWS)]
        golden[f"digest {name}"] = hashlib.sha256(files[forms[0]][0].read_bytes()).hexdigest()
        for pair in files.values():
            for path in pair:
                path.unlink()
    if args.golden:
        arrays = {"ids": np.array(IDS, np.int32), "rows": np.array(ROWS, np.int32), **golden}
        np.savez_compressed(args.golden / "architectures.npz", **arrays)
    finish(missed)


if __name__ == "__main__":
    main()
