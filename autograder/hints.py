"""The hint ladder: what a tag means, one rung at a time: idea, where to look, a small example.

Owns: reading ``hints.yaml`` and the rungs of the tags that every assignment shares.
Must not know: submissions, results, points. Read before: errors.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from autograder.errors import CourseError

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it
RUNGS = ("title", "idea", "where", "example")


@dataclass(frozen=True)
class Hint:
    """One misconception: ``title`` names it, ``idea`` is a sentence, the rest may be empty."""

    title: str
    idea: str
    where: str = ""
    example: str = ""


def load(path: Path) -> dict[str, Hint]:
    """The ladder of a ``hints.yaml`` over the shared tags; CourseError if malformed."""
    ladder = dict(SHARED)
    if not path.exists():
        return ladder
    try:
        rows = yaml.load(path.read_text(encoding="utf-8"), FAST) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: not readable as YAML: {error}") from None
    if not isinstance(rows, dict):
        raise CourseError(f"{path}: want a mapping of tag to title, idea, where, example")
    for tag, row in rows.items():
        if not isinstance(row, dict) or not {"title", "idea"} <= row.keys() <= set(RUNGS):
            raise CourseError(f"{path}: {tag}: want title and idea, and perhaps where and example")
        ladder[str(tag)] = Hint(**{k: str(v).strip() for k, v in row.items()})
    return ladder


SHARED = {
    "wrong-value": Hint(
        "Wrong numbers",
        "The numbers differ from the definition, and not in a way this grader knows by name.",
        "Work the smallest failing input by hand and print each step beside it.",
    ),
    "wrong-shape": Hint(
        "Wrong shape",
        "The result has another shape than the task asks for.",
        "Write the shape of every intermediate array as a comment and print them.",
    ),
    "wrong-dtype": Hint(
        "Wrong number type",
        "The result has another number type (dtype) than the task asks for.",
        "Look at what each operation does to the dtype, and at what the task says of it.",
    ),
    "wrong-type": Hint(
        "Not the kind of value asked for",
        "The function returned something else than an array or a number of the kind asked for.",
        "Is there a return on every path?",
    ),
    "nan": Hint(
        "NaN in the result",
        "The result has NaN (0/0, inf - inf, or the root of a negative number).",
        "Find the first step whose result has NaN; np.errstate(all='raise') stops there.",
    ),
    "error": Hint(
        "The code raised an exception",
        "Your function raised an exception on a valid input.",
        "The last line of the message names the cause; run the same call in a cell.",
    ),
    "not-implemented": Hint(
        "Not done yet",
        "The hole still raises NotImplementedError.",
        "Replace the raise by your code.",
    ),
    "missing": Hint(
        "The function is not there",
        "The cell of this task does not define the function or class it should.",
        "Is it spelled as in the task, and does the cell run without an error?",
    ),
    "timeout": Hint(
        "Too slow",
        "The call took longer than it may.",
        "An endless loop, or work that grows with the square of the length where it should not?",
    ),
    "killed": Hint(
        "The process ended",
        "The process that ran your code ended or was stopped before it answered.",
        "Does the code leave Python (exit, a crash in a library), or start others?",
    ),
    "memory": Hint(
        "Too much memory",
        "The code used more memory than it may.",
        "Which array grows with the product of two lengths?",
    ),
    "bad-reply": Hint(
        "A result that cannot be read",
        "What came back is not plain data (numbers, arrays, strings, lists) of the size allowed.",
        "Return NumPy arrays of numbers or booleans.",
    ),
}
