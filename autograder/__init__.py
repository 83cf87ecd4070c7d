"""A grader for any course of notebooks: marks from a process the student's code never runs in.

Reading order: errors, difference, hints, checks (what a verdict says); handout, catalog (what a
course has); submission, wire, sandbox, child (what was handed in, and where it runs); results,
score, scale, grade, verify (a class); nbgrader_bridge, feedback, report, cli.
"""

from importlib import import_module

__all__ = ["Checker"]


def __getattr__(name: str):
    # Late, so that importing one part (the sandbox, say) loads no other.
    if name == "Checker":
        return import_module("autograder.checker").Checker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
