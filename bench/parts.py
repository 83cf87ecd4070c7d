"""Where does a step go? Every call of the graph, and every matrix, by the milliseconds it takes.

    python bench/parts.py [--model gemma] [--phase decode|prefill|together] [--threads 1]
                          [--turns 5] [--mapped] [--top N] [--csv FILE]

The jobs are those of ``peer_speed.py``. The functions that the graph calls are timed one by one;
what is left over is the graph's own Python, NumPy, and the clock. The turn that took least counts.
On one thread a millisecond is one in which it ran, so what else the machine does matters little.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import minengine_speed
from contestant import Job
from peer import folder
from peer_speed import PHASES, phase_jobs
from speed_models import MODELS

from minengine import graph
from minengine.hparams import Rotation
from minengine.model import Model, Tensor

# where the graph's calls are found: (object, names)
CALLS = (
    (graph.ops, ("embed", "matmul", "rms_norm", "rope", "scale", "add", "softcap", "add_bias")),
    (graph.strips, ("matmul", "rounded")),
    (graph.attention, ("store_kv", "attend")),
    (graph.Batch, ("of", "starts")),
    (Rotation, ("angles",)),
)
REST = "Python, NumPy, the clock"
COLUMNS = ("part", "ms", "share", "calls")


@dataclass
class Parts:
    """Seconds and calls by part, of one turn; ``names`` says which matrix starts at an address."""

    names: dict[int, str]
    clock: Callable[[], float]
    seconds: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)

    def timed(self, part: str, call: Callable) -> Callable:
        def found(*args, **options):
            start = self.clock()
            result = call(*args, **options)
            spent, key = self.clock() - start, part
            if part == "matmul":
                key = self.names.get(args[1].ctypes.data, part)
            self.seconds[key] += spent
            self.calls[key] += 1
            return result

        return found

    @contextmanager
    def watch(self) -> Iterator[None]:
        """While it lasts the graph's calls are timed."""
        old = [(where, name, vars(where)[name]) for where, names in CALLS for name in names]
        gates = dict(graph.GATES)
        for where, name, _ in old:
            setattr(where, name, self.timed(name, getattr(where, name)))
        graph.GATES.update({name: self.timed(name, gate) for name, gate in gates.items()})
        try:
            yield
        finally:
            for where, name, call in old:
                setattr(where, name, call)
            graph.GATES.update(gates)


def matrices(model: Model) -> dict[int, str]:
    """The address that a product reads from -> the matrix: its name, format, shape."""
    found = {}
    for layer in (*model.layers, model):
        for name, t in vars(layer).items():
            if isinstance(t, Tensor):
                data = t.data if t.strips is None else t.strips
                label = "head" if name == "output" else name
                found[data.ctypes.data] = f"{label} {t.format.name} {t.shape[0]} x {t.shape[1]}"
    return found


def measure(job: Job, turns: int) -> list[dict]:
    """The rows of the table for one step, what takes most first."""
    passes = minengine_speed.Passes(job)
    clock = time.process_time if job.threads == 1 else time.perf_counter
    names, best = matrices(passes.model), None
    for _ in range(turns):
        parts = Parts(names, clock)
        with parts.watch():
            start = clock()
            for i in range(job.n_steps):
                passes.step(i)
            total = clock() - start
        if best is None or total < best[0]:
            best = (total, parts)
    total, parts = best
    parts.seconds[REST] = total - sum(parts.seconds.values())
    parts.calls[REST] = job.n_steps
    return [
        {
            "part": part, "ms": 1e3 * seconds / job.n_steps, "share": seconds / total,
            "calls": parts.calls[part] / job.n_steps,
        }
        for part, seconds in parts.seconds.most_common()
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
