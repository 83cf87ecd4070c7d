"""The C++ layer held against the engine, layer by layer of the packaged model.

    python compare.py build/layer

Owns: the program's input file. Must not know: how either computes. Prints a line a layer: the
largest difference to the engine's own values, for the whole prompt at once and token by token.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from course.broken import PartsEngine, right, trace

TEXT = "ROMEO:\nBut, soft! what light through yonder window breaks?"
NAMES = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
         "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")  # fmt: skip


def write_input(path: Path, engine: PartsEngine, layer: int, x: np.ndarray) -> None:
    """The file that the program reads: sizes, numbers, x (T, D), weights."""
    h = engine.model.hparams
    weights = (engine.weight(f"blk.{layer}.{name}.weight") for name in NAMES)
    with path.open("wb") as file:
        file.write(np.array([len(x), h.D, h.H, h.G, h.E, h.F], "<i4").tobytes())
        file.write(np.array([h.eps, h.rope_base], "<f4").tobytes())
        for array in (x, *weights):
            file.write(np.ascontiguousarray(array, "<f4").tobytes())


def run(program: Path, engine: PartsEngine, layer: int, x: np.ndarray, chunk: int) -> np.ndarray:
    """What the program makes of x: (T, D)."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "in"), Path(folder, "out")
        write_input(given, engine, layer, x)
        subprocess.run([program, given, made, str(chunk)], check=True)
        return np.fromfile(made, "<f4").reshape(x.shape)


def differences(program: Path, layers: int | None = None) -> list[tuple[float, float]]:
    """Of each layer the largest relative difference: the prompt at once, token by token."""
    engine = right(n_threads=1)
    seen = trace(engine, engine.tokenize(TEXT))
    found = []
    for i in range(layers or engine.model.hparams.n_layers):
        x = seen["embed"] if i == 0 else seen[f"blk.{i - 1}.after_ffn"]
        want = seen[f"blk.{i}.after_ffn"]
        made = (run(program, engine, i, x, chunk) for chunk in (len(x), 1))
        found.append(tuple(float(np.abs(y - want).max() / np.abs(want).max()) for y in made))
    return found


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for i, (whole, single) in enumerate(differences(Path(sys.argv[1]))):
        print(f"layer {i}: {whole:.1e} the prompt at once, {single:.1e} token by token")


if __name__ == "__main__":
    main()
