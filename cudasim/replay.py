"""``python -m cudasim.replay launch.npz ...``: saved launches, on the GPU or in the simulator.

Owns: reading what device.save_launch wrote. compute-sanitizer watches this process: arrays are
pieces of memory of their own, no parts of a pool's, so that what lies beyond one is nobody's; and
what nobody had written is not written here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np

import cudasim.device as device
from cudasim.geometry import STATIC_SHARED_BYTES


def replay(path: Path) -> list:
    """Launches once and waits; the arguments afterwards."""
    cp = device.library()
    with np.load(path, allow_pickle=False) as saved:
        n_args, shared_mem = (int(v) for v in saved["n"])
        options, expressions = (tuple(map(str, saved[k])) for k in ("options", "expressions"))
        module = cp.RawModule(
            code=str(saved["code"]), options=options, name_expressions=expressions or None
        )
        kernel = module.get_function(str(saved["name"]))
        if shared_mem > STATIC_SHARED_BYTES:
            kernel.max_dynamic_shared_size_bytes = shared_mem
        args: list = [None] * n_args
        for i in range(n_args):
            if f"array{i}" in saved:
                args[i] = placed(cp, saved[f"array{i}"], saved.get(f"written{i}"))
            elif f"scalar{i}" in saved:
                args[i] = saved[f"scalar{i}"][()]
        grid, block = (tuple(map(int, saved[k])) for k in ("grid", "block"))
    kernel(grid, block, tuple(args), shared_mem=shared_mem)
    cp.cuda.Device().synchronize()
    return args


def placed(cp: ModuleType, host: np.ndarray, written: np.ndarray | None):
    """An array on the device, of which only the bytes that are ``written`` are copied there.

    CuPy has no records: they are bytes to it.
    """
    host = host.view(np.uint8) if host.dtype.names else host
    if written is None:
        return cp.asarray(host)
    there = cp.empty(host.shape, host.dtype)
    here, target = host.reshape(-1).view(np.uint8), there.ravel().view(np.uint8)
    edges = np.flatnonzero(np.diff(written, prepend=0, append=0))
    for first, end in edges.reshape(-1, 2):
        target[first:end].set(here[first:end])
    return there


def without_pool(cp: ModuleType) -> None:
    """Memory from the driver itself; the simulator's arrays lie apart anyway."""
    if hasattr(cp.cuda, "set_allocator"):
        cp.cuda.set_allocator(None)


if __name__ == "__main__":
    without_pool(device.library())
    for name in sys.argv[1:]:
        replay(Path(name))
    print(f"replayed {len(sys.argv) - 1} launches")  # device.n_errors looks for it
