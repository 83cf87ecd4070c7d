"""Where does a step go? Every call of the graph, and every matrix, by the milliseconds it takes.

    python bench/parts.py [--model gemma] [--phase decode|prefill|together] [--threads 1]
                          [--turns 5] [--mapped] [--top N] [--csv FILE]

The jobs are those of ``peer_speed.py``. The graph calls a watch after every operation, which looks
at the clock; what is left over is making the batch, and the clock. The turn that took least counts.
On one thread a millisecond is one in which it ran, so what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from pathlib import Path

import minengine_speed
from contestant import Job
from peer import folder
from peer_speed import PHASES, phase_jobs
from speed_models import MODELS

from minengine.model import Model, Tensor

REST = "the batch, the clock"
COLUMNS = ("part", "ms", "share", "calls")


def matrices(model: Model) -> dict[tuple[str, int], str]:
    """What the graph calls a matrix, and its layer -> its name, format and shape."""
    found = {}
    for i, layer in enumerate((*model.layers, model)):
        for name, t in vars(layer).items():
            if isinstance(t, Tensor):
                label = "head" if name == "output" else name
                found[name, i] = f"{label} {t.format.name} {t.shape[0]} x {t.shape[1]}"
    return found


def measure(job: Job, turns: int) -> list[dict]:
    """The rows of the table for one step, what takes most first."""
    clock = time.process_time if job.threads == 1 else time.perf_counter
    passes = minengine_speed.Passes(job)
    names, best = matrices(passes.model), None
    seconds, calls, last = Counter(), Counter(), clock()

    def watch(what: str, layer: int) -> None:
        nonlocal last
        now, part = clock(), names.get((what, layer), what)
        seconds[part] += now - last
        calls[part] += 1
        last = now

    for _ in range(turns):
        seconds.clear()
        calls.clear()
        start = last = clock()
        for i in range(job.n_steps):
            passes.step(i, watch=watch)
            watch(REST, -1)
        if best is None or last - start < best[0]:
            best = (last - start, Counter(seconds), Counter(calls))
    total, seconds, calls = best
    return [
        {
            "part": part, "ms": 1e3 * s / job.n_steps, "share": s / total,
            "calls": calls[part] / job.n_steps,
        }
        for part, s in seconds.most_common()
    ]  # fmt: skip


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--model", choices=MODELS, default="gemma")
    flags.add_argument("--phase", choices=PHASES, default="decode")
    flags.add_argument("--threads", type=int, default=1)
    flags.add_argument("--turns", type=int, default=5)
    flags.add_argument("--mapped", action="store_true", help="the file itself, no copy in strips")
    flags.add_argument("--top", type=int, default=100, metavar="N", help="show so many parts")
    flags.add_argument("--work", type=folder, default="build/bench")
    flags.add_argument("--csv", type=Path)
    args = flags.parse_args()
    file = str(MODELS[args.model].find(args.work))
    facts = minengine_speed.describe({"file": file})
    label, job = phase_jobs(facts["context"], quick=args.phase != "prefill")[args.phase]
    made = Job(file, threads=args.threads, options={"repack": not args.mapped}, **job)
    found = measure(made, args.turns)
    whole = sum(r["ms"] for r in found)
    print(f"{MODELS[args.model].label}, {label}: {whole:.2f} ms a step, {args.threads} threads")
    for r in found[: args.top]:
        print(f"{r['ms']:10.3f} ms {r['share']:6.1%} {r['calls']:6.0f} calls  {r['part']}")
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, COLUMNS)
            writer.writeheader()
            writer.writerows(found)


if __name__ == "__main__":
    main()
