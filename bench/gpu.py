"""The course's CUDA kernels on a real GPU, and how far the simulator's word holds there.

    python bench/gpu.py [--parts door bank ...] [--checkouts DIR ...] [--results DIR | --keep]

Parts: door (cudasim.device with CuPy), bank (the solutions of assignment 4 and lab 2.6 by their
checks' comparisons), corpus and lab (the same kernels here and in the simulator), public (kernels
that nobody here wrote, of which DIR holds checkouts), notebooks, sanitizers (faulty kernels under
NVIDIA's tools beside cudasim, clean ones under all four), ladder (times beside counts).
Needs CuPy, a GPU and a C++ compiler; compute-sanitizer for its part. Exits with 1 where something
is not as it should be.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import gpu_apart
import gpu_bank
import gpu_door
import gpu_kernels
import gpu_ladder
import gpu_sanitizers
import gpu_tables
from gpu_apart import Failed, Job
from gpu_kernels import Row, corpus
from gpu_sanitizers import Compared

from autograder import kernels
from course.experiments.kernels import TASKS
from cudasim import device

KEPT = gpu_kernels.ROOT / "bench" / "results"
LADDER = gpu_kernels.ROOT / "course" / "examples" / "cuda"  # beside the page that shows it
# jobs at a time: contexts share one GPU; compute-sanitizer listens on ten ports at most
WORKERS = {"sanitizers": 8, "ladder": 1, "door": 1}
LIMIT_S = {"sanitizers": 300.0, "ladder": 240.0, "public": 90.0}
LENGTHS = (7, 300, 600, 4096)


def jobs(part: str, checkouts: Sequence[Path]) -> list[Job]:
    """What a part asks of the GPU."""
    if part == "door":
        calls = (gpu_door.kernels_and_arrays, gpu_door.times, gpu_door.saved_and_replayed,
                 gpu_door.sanitized)  # fmt: skip
        return [Job(f"door {c.__name__}", c) for c in calls]
    if part == "bank":
        return [Job(" ".join(s), gpu_bank.judged, s) for s in gpu_bank.solutions()]
    if part == "corpus":
        return [Job(str(c), gpu_kernels.clean_kernels, (c,)) for c in corpus.cases("clean")]
    if part == "lab":
        asked = [(name, n) for name in TASKS for n in LENGTHS]
        found = [Job(f"lab {name} {n}", gpu_kernels.lab_kernel, (name, n)) for name, n in asked]
        return [*found, Job("lab strides", gpu_kernels.strides)]
    if part == "public":
        rows = gpu_kernels.public.ROWS if checkouts else []
        return [Job(f"{file} {name}", gpu_kernels.public_kernel, (tuple(checkouts), i))
                for i, (file, name, _) in enumerate(rows)]  # fmt: skip
    if part == "notebooks":
        return [Job(f"notebook {task}", gpu_bank.notebook, (task,)) for task in gpu_bank.TASKS]
    if part == "sanitizers":
        n = len(list(corpus.cases("faulty")))
        found = [Job(f"clean {tool}", gpu_sanitizers.clean, (tool,)) for tool in device.TOOLS]
        return found + [Job(f"faulty {i}", gpu_sanitizers.faulty, (i,)) for i in range(n)]
    return [Job(f"ladder {o.name}", gpu_ladder.climbed, (i,))
            for i, o in enumerate(gpu_ladder.OPERATIONS)]  # fmt: skip


PARTS = ("door", "notebooks", "corpus", "lab", "bank", "public", "ladder", "sanitizers")


def machine() -> list[dict[str, str]]:
    """What a table of times must say: the GPU, its driver, CUDA, CuPy."""
    cupy = device.gpu()
    if cupy is None:
        raise RuntimeError("CuPy sees no GPU")
    found = cupy.cuda.runtime.getDeviceProperties(0)
    version = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    driver = device.said(
        ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], 30.0
    )
    return [{
        "gpu": found["name"].decode(),
        "driver": driver.split()[0],
        "cuda_of_driver": dotted(version[0]),
        "cuda": dotted(version[1]),
        "cupy": cupy.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }]  # fmt: skip


def dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def write(path: Path, rows: Sequence, about: dict[str, str]) -> None:
    """Rows of one kind, the machine in each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        names = [f.name for f in fields(rows[0])]
        writer = csv.DictWriter(out, [*names, *about])
        writer.writeheader()
        writer.writerows(asdict(r) | about for r in rows)


def show(found: Sequence, took_s: float, part: str) -> int:
    """What a part gave: everything that is not as it should be, and how much is. How many are."""
    rows = [r for r in found if isinstance(r, Row)]
    bad = [r for r in rows if not r.ok]
    failed = [f for f in found if isinstance(f, Failed)]
    for f in failed:
        print(f"  FAILED {f.name}: {' '.join(f.why.split())[-400:]}")
    for r in bad:
        print(f"  WRONG {r.name}: want {r.want}, found {r.found}; {r.note}")
    loose = sum(r.want == "any" for r in rows)
    print(f"{part}: {len(rows) - len(bad)} of {len(rows)} as they should be ({loose} of them may "
          f"be anything), {len(failed)} jobs failed, {took_s:.0f} s", flush=True)  # fmt: skip
    return len(bad) + len(failed)


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    flags.add_argument("--checkouts", nargs="+", type=Path, default=[])
    flags.add_argument("--results", type=Path, help="write CSV files into this folder")
    flags.add_argument("--keep", action="store_true",
                       help="write them where the repository keeps them")  # fmt: skip
    args = flags.parse_args()
    os.environ.setdefault("CUDASIM_DEVICE", "gpu")
    root = str(gpu_kernels.ROOT)
    os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    (about,) = gpu_apart.run([Job("machine", machine)], workers=1, limit_s=60)
    if isinstance(about, Failed):
        sys.exit(about.why.strip().splitlines()[-1])
    print(about[0], flush=True)
    kernels.packages()  # the simulator's runtime is compiled once, not by each process
    run = partial(gpu_apart.run, limit_s=60.0)
    found, n_bad = [], 0
    for part in args.parts:
        started = time.monotonic()
        workers = WORKERS.get(part, max(2, min(12, (os.cpu_count() or 2) - 2)))
        given = jobs(part, args.checkouts)
        rows = run(given, workers=workers, limit_s=LIMIT_S.get(part, 60.0))
        flat = [r for one in rows for r in ([one] if isinstance(one, Failed) else one)]
        n_bad += show(flat, time.monotonic() - started, part)
        found += flat
        save(args, found, about[0])
    for name, one in (("gpu_ladder", gpu_ladder.Climbed), ("gpu_sanitizers", Compared)):
        rows = [r for r in found if isinstance(r, one)]
        print("\n" + gpu_tables.TABLES[name]([texts(r, about[0]) for r in rows]) if rows else "")
    sys.exit(n_bad > 0)


def save(args: argparse.Namespace, found: Sequence, about: dict[str, str]) -> None:
    """All rows so far: a run that is cut short has written what it saw."""
    kinds = ((KEPT, "gpu_results", Row), (KEPT, "gpu_sanitizers", Compared),
             (LADDER, "gpu_ladder", gpu_ladder.Climbed))  # fmt: skip
    for kept, name, one in kinds:
        folder = kept if args.keep else args.results
        rows = [r for r in found if isinstance(r, one)]
        if rows and folder:
            write(folder / f"{name}.csv", rows, about)


def texts(row: object, about: dict[str, str]) -> dict[str, str]:
    """A row as it will be read again."""
    return {k: str(v) for k, v in (asdict(row) | about).items()}


if __name__ == "__main__":
    main()
