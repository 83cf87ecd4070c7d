"""A grader for any course of notebooks: marks from a process the student's code never runs in.

Reading order. What a verdict says: errors, difference, hints, trace, checks, local, checker.
What a course has: handout, catalog. What was handed in, and where it runs: submission, wire,
child, worker, walls, sandbox. A class: results, score, scale, classroom, grade, verify. What
people see: pages, feedback, report, gradebook, nbgrader_bridge, home, doctor, cli.
"""

from importlib import import_module

__all__ = ["Checker"]


def __getattr__(name: str):
    # Late, so that importing one part (the sandbox, say) loads no other.
    if name == "Checker":
        return import_module("autograder.checker").Checker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
