"""Mechanical mutants of an assignment's reference, run through its real checks.

    python bench/mutants.py 02              share killed, and each survivor as a diff
    python bench/mutants.py 02 --json       the same for a machine
    python bench/mutants.py 02 --hole free  one hole alone

A mutant is the reference with one small change to one hole: another comparison, another operation,
a constant one off, a condition negated, a statement left out, `and` for `or`, another value
returned; in the text of a kernel what `kernel_mutants.py` says. One that passes every check is the
same program in other words, or a check is missing: `solutions/ID/survivors.yaml` has the reason why
a survivor means the same, by its key. A kernel that no longer compiles is none, and does not count.

A hole of a student's own tests (TESTS in checks.py) is not changed: what is asked of it is which
bugs it finds, and that many of its lines are not needed for those is no gap in a check.

Owns: the changes, the run, the comparison with that list. Runs in this process (LocalStudent), a
worker per core; a mutant that takes too long is killed and counts as killed. Exit code 1 where a
survivor has no reason, or a reason no survivor.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import difflib
import functools
import io
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import kernel_mutants
import numpy as np
import yaml

from autograder import catalog, checks
from autograder.checks import Seeds
from autograder.local import LocalStudent

ROOT = Path(__file__).resolve().parent.parent
SEEDS = Seeds((0, 1, 2, 3))  # as many draws as a submission gets
LEAST_S, TIMES = 10.0, 4  # what a mutant may take: times the reference's own, not less than that

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATIONS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.FloorDiv, ast.Add),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
KEPT = (ast.FunctionDef, ast.ClassDef, ast.Pass, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """``key`` names the change whatever else is in the file: hole, line before, line after."""

    hole: str
    kind: str
    key: str
    diff: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """What killed a mutant: the check and its tag, both empty for a survivor."""

    mutant: Mutant
    check: str
    tag: str


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """(kind, replacement) of one node."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for other in COMPARISONS.get(type(op), ()):
                ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                yield "comparison", ast.Compare(node.left, ops, node.comparators)
    elif isinstance(node, ast.BinOp | ast.AugAssign):
        for other in OPERATIONS.get(type(node.op), ()):
            new = copy.copy(node)
            new.op = other()
            yield "operation", new
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "constant", ast.Constant(node.value + 1)
        yield "constant", ast.Constant(node.value - 1)
    elif isinstance(node, ast.Constant) and kernel_mutants.is_kernel(node.value):
        for kind, text in kernel_mutants.changes(node.value):
            yield kind, ast.Constant(text)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield "and-or", ast.BoolOp(other(), node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield "sign", node.operand
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        new = copy.copy(node)
        new.test = ast.UnaryOp(ast.Not(), node.test)
        yield "condition", new
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "condition", ast.comprehension(node.target, node.iter, [], node.is_async)
    elif isinstance(node, ast.Slice):
        for end in ("lower", "upper"):
            if getattr(node, end) is not None:
                new = copy.copy(node)
                setattr(new, end, None)
                yield "slice", new
    elif isinstance(node, ast.Break | ast.Continue):
        yield "jump", (ast.Continue if isinstance(node, ast.Break) else ast.Break)()
    elif isinstance(node, ast.Return) and node.value is not None:
        empty = isinstance(node.value, ast.Constant) and node.value.value is None
        yield "return", ast.Return(ast.Constant(0 if empty else None))
    if isinstance(node, ast.stmt) and not isinstance(node, (*KEPT, ast.Return)):
        yield "left out", ast.Pass()


def mutants(hole: str, source: str) -> Iterator[Mutant]:
    """Every change of every node of a hole that is not its signature or a docstring."""
    tree = ast.parse(source)
    seen = Counter()
    whole = ast.unparse(tree)
    for place, field, index, node in list(places(tree)):
        for kind, new in changes(node):
            _put(place, field, index, new)
            text = ast.unparse(ast.fix_missing_locations(tree))
            _put(place, field, index, node)
            kernel = kernel_mutants.is_kernel(getattr(node, "value", None))
            two = (node.value, getattr(new, "value", "")) if kernel else (whole, text)
            lines = list(difflib.unified_diff(*(t.splitlines() for t in two), lineterm="", n=0))[3:]
            changed = [line[0] + " " + line[1:].strip() for line in lines if line[0] in "+-"]
            key = f"{hole}: " + " | ".join(changed)
            seen[key] += 1
            key += f" ({seen[key]})" if seen[key] > 1 else ""
            yield Mutant(hole, kind, key, "\n".join(changed), text)


def places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """(parent, its field, index in a list or None, node), signatures and docstrings left out."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(parent, ast.FunctionDef) and field != "body":
                continue
            if isinstance(parent, ast.arg):  # its type, which nobody evaluates
                continue
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
                inside = not isinstance(parent, ast.arguments) and isinstance(node, ast.AST)
                if inside and not is_text:
                    yield parent, field, index, node


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


class TooLong(BaseException):
    """Not an Exception, so that no code under test can catch it by the usual means."""


@functools.cache
def loaded(name: str) -> catalog.Assignment:
    """An assignment, read once in a process."""
    return catalog.find_course(ROOT).assignment(name)


@functools.cache
def limit_s(name: str) -> float:
    """Seconds of processor time after which a mutant of this assignment is taken for endless."""
    started = time.process_time()
    run(Mutant("", "", "", "", ""), loaded(name))
    return max(LEAST_S, TIMES * (time.process_time() - started))


def judge(task: tuple[str, Mutant]) -> Verdict:
    """Run one mutant until a check fails, those of its own hole first."""
    assignment, mutant = loaded(task[0]), task[1]
    seconds = limit_s(task[0])
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # processor time: a busy machine kills nobody
    try:
        return run(mutant, assignment)
    except TooLong:
        return Verdict(mutant, "", "timeout")
    except Exception as error:  # noqa: BLE001 - one that does not even load
        return Verdict(mutant, "", type(error).__name__)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def run(mutant: Mutant, assignment: catalog.Assignment) -> Verdict:
    """The first check that fails; of a mutant of no hole, which is the reference, none does."""
    texts = assignment.reference.sources
    sources = texts | ({mutant.hole: mutant.source} if mutant.hole else {})
    chosen = sorted(assignment.checks, key=lambda c: c.hole != mutant.hole)
    with contextlib.redirect_stdout(io.StringIO()):
        namespace: dict = {"np": np}
        for source in sources.values():
            exec(source, namespace)
        # the texts as they were written: a mutant is unparsed, and its look is no matter
        student = LocalStudent(namespace, assignment.handout.holes, texts)
        for check in chosen:
            (result,) = checks.run([check], student, SEEDS, hints=assignment.hints)
            if not result.passed:
                return Verdict(mutant, check.id, result.tag)
    return Verdict(mutant, "", "")


def _too_long(*_: object) -> None:
    raise TooLong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("assignment")
    parser.add_argument("--hole")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    assignment = catalog.find_course(ROOT).assignment(given.assignment)
    sources = assignment.reference.sources
    tests = vars(assignment.module).get("TESTS", ())
    chosen = {h: s for h, s in sources.items() if given.hole in (None, h) and h not in tests}
    tasks = [(assignment.id, m) for h, s in chosen.items() for m in mutants(h, s)]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CUDASIM_CACHE"] = cache  # thousands of kernels that nobody launches again
        with multiprocessing.Pool(given.jobs) as pool:
            verdicts = pool.map(judge, tasks, chunksize=4)
    verdicts = [v for v in verdicts if v.tag != "does-not-compile"]
    path = assignment.folder / "survivors.yaml"
    reasons = (yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}
    survivors = [v.mutant for v in verdicts if not v.tag]
    open_ = [m for m in survivors if m.key not in reasons]
    every = {m.key for _, m in tasks}
    stale = [
        k for k in reasons if k.split(":")[0] in chosen and k not in {m.key for m in survivors}
    ]
    summary = {
        "assignment": assignment.id,
        "mutants": len(verdicts),
        "killed": len(verdicts) - len(survivors),
        "equivalent": len(survivors) - len(open_),
        "open": [asdict(m) | {"source": ""} for m in open_],
        "stale": [k + ("" if k in every else " (no such mutant)") for k in stale],
    }
    print(json.dumps(summary, indent=1) if given.json else text(summary, verdicts))
    return 1 if open_ or stale else 0


def text(summary: dict, verdicts: list[Verdict]) -> str:
    """The summary for a person."""
    n, killed = summary["mutants"], summary["killed"]
    lines = [
        f"{summary['assignment']}: {n} mutants, {killed} killed ({killed / n:.1%}), "
        f"{summary['equivalent']} survive with a reason, {len(summary['open'])} without"
    ]
    of = Counter(v.mutant.hole for v in verdicts)
    dead = Counter(v.mutant.hole for v in verdicts if v.tag)
    lines += [f"  {hole:16} {dead[hole]:4} of {count:4}" for hole, count in of.items()]
    lines += [f"\n{m['key']}" for m in summary["open"]]
    lines += [f"\nno such survivor: {key}" for key in summary["stale"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
