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

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

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
    variant = random_model.VARIANTS[name]
    stem = f"{name} {form}".replace(" ", "-").replace(",", "")
    path, twin = work / f"{stem}.gguf", work / f"{stem}-twin.gguf"
    options = {**SIZES, **variant.options}
    random_model.write(path, variant.arch, form, seed=SEED, keys=variant.keys, **options)
    requantize(path, twin, "F32")
    return path, twin


def gate(name: str) -> float:
    return 1e-3 if ARCHITECTURES[random_model.VARIANTS[name].arch].gate == "gelu" else 1e-5


def nrms(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.sqrt(np.mean((got.astype(np.float64) - want) ** 2)) / np.std(want))


def logits(path: Path, **options) -> np.ndarray:
    with Engine(path, 1, **options) as engine:
        return engine.logits(IDS)


def ask_peer(python: str, work: Path, files: dict[str, Path], ids: list[int] = IDS) -> dict:
    return run_peer(python, work, {"logits": {k: str(f) for k, f in files.items()}, "ids": ids})


def run_peer(python: str, work: Path, job: dict) -> dict:
    """What ``peer_llamacpp.py`` finds for a job."""
    (work / "job.json").write_text(json.dumps(job))
    script = Path(__file__).with_name("peer_llamacpp.py")
    command = [python, str(script), str(work / "job.json"), str(work / "peer.npz")]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        sys.exit(f"llama.cpp failed: {' '.join(command)}")
    return dict(np.load(work / "peer.npz"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", required=True, help="a Python that has llama-cpp-python")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--work", type=Path, default=Path("build/peer"))
    parser.add_argument("--golden", type=Path, help="write the golden file to this folder")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    forms, missed, golden = args.formats.split(","), [], {}
    print(f"{'':26} {'gate':>7} " + " ".join(f"{f:>7}" for f in (*forms, "F16 kv")))
    for name in random_model.VARIANTS:
        files = {form: make(args.work, name, form) for form in forms}
        peer = ask_peer(args.peer, args.work, {f: twin for f, (_, twin) in files.items()})
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
    print(f"{len(missed)} gates missed" + "".join(f"\n  {m}" for m in missed))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
