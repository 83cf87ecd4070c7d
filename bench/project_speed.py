"""How far the ratios scatter by which the module project's speed is judged.

    python bench/project_speed.py                 ten measurements of each right solution
    python bench/project_speed.py --times 30 --csv spread.csv

Each measurement is one round of `assignments/05_mini_engine/speed.py`: the solution, then the
yardstick, each in a process of its own in the same sandbox, processor time read from outside. A
check takes the best of up to nine such rounds; what one round scatters is what noise could cost at
the very most. Also the wrong solutions that are slow. Never in pass/fail.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
from pathlib import Path
from types import SimpleNamespace

from autograder import catalog, grade, sandbox
from autograder.trace import Traced

ROOT = Path(__file__).resolve().parent.parent
SLOW = ("model_no_cache", "model_token_by_token", "model_dequantizes_at_every_pass")


def measured(
    speed: SimpleNamespace, solution: catalog.Solution, walls: sandbox.Backend
) -> dict[str, float]:
    """One ratio of each kind."""
    work = {"decoding": (speed.decoding, 1, speed.STEPS)}
    work["prefill"] = (speed.prefill, speed.N_PROMPT, [0] * speed.N_REPEATS)
    found = {}
    with sandbox.Student(dict(solution.sources), backend=walls) as student:
        for name, how in work.items():
            found[name] = next(speed.turns(Traced(student), *how))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args()
    assignment = catalog.find_course(ROOT).assignment("05")
    check = next(c for c in assignment.checks if c.id == "decode_time")
    speed = SimpleNamespace(**check.function.__globals__)  # speed.py, as the catalog has it
    walls = grade.named(grade.ready())
    chosen = [s for s in assignment.solutions() if s.kind != "wrong" or s.name in SLOW]
    rows = []
    print(f"limits {speed.GENEROUS:g} and {speed.STRICT:g}; load {os.getloadavg()[0]:.1f}")
    print(f"{'solution':34}{'kind':10}{'lowest':>8}{'median':>8}{'highest':>9}")
    for solution in chosen:
        all_ = [measured(speed, solution, walls) for _ in range(given.times)]
        for kind in all_[0]:
            values = sorted(one[kind] for one in all_)
            rows += [(solution.name, kind, v) for v in values]
            middle = statistics.median(values)
            print(f"{solution.name:34}{kind:10}{values[0]:8.2f}{middle:8.2f}{values[-1]:9.2f}")
    if given.csv:
        with given.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("solution", "kind", "ratio"), *rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
