"""A student's part compared with the oracle's, and with what is known to go wrong in it.

Owns: the tolerance of each part, the naming of its mistakes, what a call may not do besides. Must
not know: points, hints. Read before: mistakes.py (its PARTS are the mistakes).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mistakes
import numpy as np

from autograder.checks import close, require
from minengine import oracle

# float32 rounds at 6e-8 and sums here have at most 24 terms: a part is right to 1e-5 of its values,
# angles of some hundred radians to 3e-5. Mistakes differ by far more.
ROWS = {"rtol": 1e-4, "atol": 3e-5}
HEADS = {"rtol": 1e-4, "atol": 1e-4, "axes": ("token", "head", "dimension")}
TOLERANCES = {
    "rms_norm": ROWS,
    "rope": HEADS,
    "causal_mask": {"rtol": 0, "atol": 0, "axes": ("query", "key")},
    "attention": HEADS,
    "swiglu": ROWS,
}
HALF = {"rtol": 4e-3, "atol": 5e-2}  # a float16 result fails for its dtype, not for its rounding


def agrees(student: Any, hole: str, *args: Any, got: Any = None, what: str = "") -> str | None:
    """Require of ``hole(*args)`` what the oracle gives; a known mistake is named by its tag."""
    got = getattr(student, hole)(*args) if got is None else got
    want = getattr(oracle, hole)(*args)
    tolerance = TOLERANCES[hole] | (HALF if getattr(got, "dtype", None) == np.float16 else {})
    return close(got, want, near=named(hole, args), what=what or hole, **tolerance)


def all_agree(student: Any, hole: str, calls: dict[str, tuple]) -> None:
    """Require it of several calls (what each is called -> its arguments), which travel together."""
    values = student.several(hole, [(args, {}) for args in calls.values()])
    for (what, args), got in zip(calls.items(), values, strict=True):
        agrees(student, hole, *args, got=got, what=what)


def named(hole: str, args: tuple) -> dict[str, Any]:
    """What each mistake known in ``hole`` gives on these arguments, computed when asked for."""
    return {tag: partial(mistake, *args) for tag, mistake in mistakes.PARTS[hole].items()}


def untouched(seen: Any, *args: Any) -> None:
    """Require that a call left its arguments alone and gave back memory of its own."""
    pairs = zip(arrays(seen.args_after), arrays(args), strict=True)
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    require(same, "an argument was changed in place; the caller still needs it", "input-changed")
    message = "the result shares memory with an argument: a change of one would change the other"
    require(not seen.shares_memory, message, "result-is-a-view")


def arrays(value: Any) -> list[np.ndarray]:
    """The arrays in nested lists, tuples and dicts, in order."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [a for v in value for a in arrays(v)]
    return [value] if isinstance(value, np.ndarray) else []
