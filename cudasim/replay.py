"""``python -m cudasim.replay launch.npz``: one saved launch, on the GPU or in the simulator.

Owns: reading what device.save_launch wrote. compute-sanitizer watches this process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import cudasim.device as device


def replay(path: Path) -> None:
    """Launches once and waits."""
    cp = device.library()
    with np.load(path, allow_pickle=False) as saved:
        n_args, shared_mem = (int(v) for v in saved["n"])
        kernel = cp.RawKernel(
            str(saved["code"]), str(saved["name"]), options=tuple(map(str, saved["options"]))
        )
        if shared_mem > 48 << 10:
            kernel.max_dynamic_shared_size_bytes = shared_mem
        args: list = [None] * n_args
        for i in range(n_args):
            if f"array{i}" in saved:
                args[i] = cp.asarray(saved[f"array{i}"])
            elif f"scalar{i}" in saved:
                args[i] = saved[f"scalar{i}"][()]
        grid, block = (tuple(map(int, saved[k])) for k in ("grid", "block"))
    kernel(grid, block, tuple(args), shared_mem=shared_mem)
    cp.cuda.Device().synchronize()


if __name__ == "__main__":
    replay(Path(sys.argv[1]))
