"""Engines take turns on one machine: A, B, A, B, with the machine's own speed beside each sample.

Owns: the processes and where their threads run, the order of turns, which samples count, the CSV
that holds them all. Must not know: what is compared, how a table looks. Read before:
``contestant.py`` (what a sample is).

Each engine is a process of its own, started once for a model. Its first thread runs on processor 0,
the second on 1 (OpenMP is told so), and it runs alone: the others wait. Before and after each
sample our process measures memory read and products of 8 bits, with nothing else to do, on as many
threads. A sample counts where

- the process got at least ``clean.SHARE`` of the processor time that its threads were ready for,
- both probes of products reached ``STEADY`` of what the run usually sees (its upper tenth),
- both probes of memory lie within ``SPREAD`` of the cell's median: its speed has more than one
  state, and a cell is measured in one of them.

What one thread took is the time in which it ran (``contestant.sample``), which in a sample that
counts is nearly the clock's. Where fewer than ``ENOUGH`` count, the least disturbed half of all
samples does, and a table says so.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from clean import SHARE
from contestant import Job

STEADY, SPREAD, ENOUGH = 0.93, 0.20, 3
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """One turn. Rates of probes are means of before and after; ``products_least`` is the lower."""

    model: str
    phase: str
    threads: int
    side: str
    n_sequences: int
    depth: int
    n_tokens: int  # that were computed, of all sequences
    n_steps: int
    block_size: int
    seconds: float
    wall: float
    got: float
    bandwidth: float
    bandwidth_off: float  # how far the two probes are apart, as a share
    products: float
    products_least: float
    # at least: bytes of weights and cache that all steps read, operations that they do
    n_bytes: int
    operations: int

    @property
    def cell(self) -> tuple:
        """What a sample is compared within: all but the side."""
        return (
            self.model, self.phase, self.threads, self.n_sequences, self.depth, self.block_size,
        )  # fmt: skip

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.n_tokens / self.seconds


class Contestant:
    """One process; ``ask`` exits with what it said on stderr where it fails."""

    def __init__(self, command: Sequence[str], **env: str) -> None:
        self.command = list(command)
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=untouched() | pinned() | env, encoding="utf-8",
        )  # fmt: skip
        self.hello = self.ask(do="hello")

    def ask(self, **message) -> dict:
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"{self.command[1]} ended with {self.process.wait()} at {message['do']}")
        answer = json.loads(line)
        if "error" in answer:
            sys.exit(f"{self.command[1]}, {message['do']}: {answer['error']}")
        return answer

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def untouched() -> dict[str, str]:
    """This process's environment without what `import minengine` put there for itself: how threads
    wait. Each engine has its own way; llama.cpp's two threads ran at half their speed with ours.
    """
    return {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}


def pinned() -> dict[str, str]:
    """The first thread on the first processor, the second on the second; nobody else's threads."""
    n = os.cpu_count() or 1
    places = ",".join(f"{{{i}}}" for i in range(n))
    return {"OMP_PLACES": places, "OMP_PROC_BIND": "true", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Side:
    """Who takes turns under a name: which contestant, with which options of a job."""

    name: str
    who: str  # key of Turns.contestants
    options: dict


OURS = Side("minengine", "minengine", {"repack": True})
MAPPED = Side("minengine, mapped", "minengine", {"repack": False})
PEERS = tuple(
    Side(
        f"llama.cpp, flash {'on' if flash else 'off'}, repack {'on' if repack else 'off'}",
        "llama.cpp", {"flash": flash, "repack": repack},
    )
    for flash in (True, False) for repack in (True, False)
)  # fmt: skip


@dataclass
class Effort:
    """How many samples: ``clean`` of each side at best, ``most`` turns at most, ``screen`` turns
    after which llama.cpp's slower configurations are left out: those ``behind`` its best.
    """

    clean: int = 7
    most: int = 21
    screen: int = 2
    behind: float = 0.10


class Turns:
    """The contestants for one model."""

    def __init__(self, peer: str | None, label: str, file: Path, variant: str | None = None):
        self.label, self.file = label, str(file)
        self.began = time.strftime("%Y-%m-%d %H:%M")
        forced = {"MINENGINE_SIMD": variant} if variant else {}
        mine = Contestant([sys.executable, str(HERE / "minengine_speed.py")], **forced)
        self.contestants = {"minengine": mine}
        if peer:
            script = str(HERE / "peer_llamacpp_speed.py")
            self.contestants["llama.cpp"] = Contestant([peer, script])
        self.facts = mine.ask(do="describe", file=self.file)

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *_: object) -> None:
        for contestant in self.contestants.values():
            contestant.end()

    def hello(self) -> dict[str, str]:
        """The machine, the versions, and when it began."""
        said = {k: v for c in self.contestants.values() for k, v in c.hello.items()}
        return said | {"began": self.began}

    def play(
        self, phase: str, job: dict, sides: Sequence[Side], effort: Effort
    ) -> Iterator[Sample]:
        """The samples of one cell, as they come; ``job`` lacks what a side or the file says."""
        all_sides, sides, found, jobs = sides, list(sides), [], {}
        for side in all_sides:
            made = Job(file=self.file, options=side.options, **job)
            jobs[side.name] = made
            self.contestants[side.who].ask(do="open", key=side.name, job=asdict(made))
        for turn in range(effort.most):
            for side in list(sides):
                sample = self.turn(phase, side, jobs[side.name])
                found.append(sample)
                yield sample
            if turn + 1 == effort.screen:
                for side in behind(found, sides, effort.behind):
                    sides.remove(side)
            if min(len(clean(found, s.name)) for s in sides) >= effort.clean:
                break
        for side in all_sides:
            self.contestants[side.who].ask(do="close", key=side.name)

    def turn(self, phase: str, side: Side, job: Job) -> Sample:
        mine = self.contestants["minengine"]
        before = mine.ask(do="probe", threads=job.threads)
        ran = self.contestants[side.who].ask(do="run", key=side.name)
        after = mine.ask(do="probe", threads=job.threads)
        reads, dots = ((before[k] or 0, after[k] or 0) for k in ("bandwidth", "products"))
        n_bytes, operations = work(self.facts, job)
        return Sample(
            self.label, phase, job.threads, side.name, job.n_sequences, job.depth,
            job.n_tokens * job.n_steps * job.n_sequences, job.n_steps, job.block_size,
            ran["seconds"], ran["wall"], ran["got"], sum(reads) / 2,
            abs(reads[0] - reads[1]) / (max(reads) or 1),
            sum(dots) / 2, min(dots), n_bytes, operations,
        )  # fmt: skip


def work(facts: dict, job: Job) -> tuple[int, int]:
    """What all steps of a job do at least: bytes they read, operations of the matrices.

    A step reads every matrix once, and of each sequence the keys and values that its last token
    sees. The head multiplies one token of a sequence.
    """
    cells = 0
    for i in range(job.n_steps):
        seen = job.depth + (i + 1) * job.n_tokens
        cells += sum(min(seen, window or seen) for window in facts["windows"])
    n_bytes = job.n_steps * facts["weight_bytes"] + cells * job.n_sequences * facts["cell_bytes"]
    each = job.n_tokens * facts["operations"] + facts["head_operations"]
    return n_bytes, each * job.n_sequences * job.n_steps


def behind(found: Sequence[Sample], sides: Sequence[Side], share: float) -> list[Side]:
    """llama.cpp's configurations that are slower than its best by more than a share."""
    best = {s.name: max(x.rate for x in found if x.side == s.name) for s in sides}
    peers = [s for s in sides if s.who == "llama.cpp"]
    top = max((best[s.name] for s in peers), default=0)
    return [s for s in peers if best[s.name] < (1 - share) * top]


def clean(found: Sequence[Sample], side: str) -> list[Sample]:
    """The samples of a side that count, of all samples of one cell."""
    steady = STEADY * float(np.quantile([s.products_least for s in found], 0.9))
    usual = statistics.median(s.bandwidth for s in found)
    return [
        s for s in found
        if s.side == side and s.got >= SHARE and s.products_least >= steady
        and s.bandwidth_off <= SPREAD and abs(s.bandwidth - usual) <= SPREAD * usual
    ]  # fmt: skip


def counted(found: Sequence[Sample], side: str) -> tuple[list[Sample], int]:
    """(the samples of a side that a median is taken of, how many of them are clean)."""
    good = clean(found, side)
    if len(good) >= ENOUGH:
        return good, len(good)
    mine = sorted((s for s in found if s.side == side), key=lambda s: s.got)
    return mine[len(mine) // 2 :], len(good)


def write(path: Path, samples: Iterable[Sample], hello: dict[str, str]) -> None:
    """A row for each sample, the machine and the versions behind it."""
    rows = [asdict(s) | hello for s in samples]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, [*(x.name for x in fields(Sample)), *hello])
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> tuple[list[Sample], dict[str, str]]:
    """What ``write`` wrote; exits with a message where a column is missing."""
    kinds = {"str": str, "int": int, "float": float}
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    wanted = {x.name: kinds[x.type] for x in fields(Sample)}
    if not rows or not wanted.keys() <= rows[0].keys():
        got = ", ".join(rows[0]) if rows else "no rows"
        sys.exit(f"{path}: columns {got}; want {', '.join(wanted)}")
    samples = [Sample(**{name: kind(row[name]) for name, kind in wanted.items()}) for row in rows]
    return samples, {k: v for k, v in rows[0].items() if k not in wanted}
