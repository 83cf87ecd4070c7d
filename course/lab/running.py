"""A lab's notebook run from top to bottom in a process of its own, and what its cells showed.

    python -m course.lab.running CELLS.json OUT.json

Every cell runs, also after one that failed; the task ``findings`` is written from what was noted
before it. The code is the reader's own, on the reader's own machine: this is no sandbox. Owns: the
running of cells. Must not know: any lab, pages. Read before: ``__init__.py``.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import linecache
import pprint
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder import borrowed
from autograder.checker import ChecksFailed
from course import lab

MEASURED = "findings"
HEAD = 'def findings() -> dict:\n    """What this notebook measured; `lab report` wrote it."""\n'


def run(cells: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Run code cells (``id``, ``source``) in order -> outputs of each, what was noted, seconds.

    An output is ``kind`` ("text", "html", "error" or "check") and ``data``.
    """
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    noted: dict[str, Any] = {}
    lab.NOTED.set(noted)
    started, outputs, measured = time.perf_counter(), [], ""
    for number, cell in enumerate(cells, 1):
        source = cell["source"]
        if cell["id"] == MEASURED:
            source = measured = written(noted)
        outputs.append(_run(source, f"<cell {number}>", namespace))
    seconds = time.perf_counter() - started
    return {"outputs": outputs, "noted": noted, "measured": measured, "seconds": seconds}


def written(noted: dict[str, Any]) -> str:
    """The task ``measured`` with these values in it."""
    text = pprint.pformat(noted, width=90, sort_dicts=False, compact=True)
    lines = text.replace("\n", "\n    ")
    return f"{HEAD}    return {lines}\n"


def _run(source: str, name: str, namespace: dict[str, Any]) -> list[dict[str, str]]:
    """The outputs of one cell."""
    shown: list[Any] = []
    lab.SHOWN.set(shown)
    printed, out = io.StringIO(), []
    try:
        tree = ast.parse(_plain(source), name)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(tree, name, "exec"), namespace)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
                if value is not None:
                    lab.show(value)
    except ChecksFailed as failed:
        out = [{"kind": "check", "data": str(failed)}]
    except Exception as error:  # noqa: BLE001 - what the reader's code raises is shown
        out = [{"kind": "error", "data": _words(error, name)}]
    text = [{"kind": "text", "data": printed.getvalue()}] if printed.getvalue() else []
    return [*text, *(_output(thing) for thing in shown), *out]


def _plain(source: str) -> str:
    """The source without lines of IPython."""
    return borrowed.without_magic(source) if borrowed.MAGIC.search(source) else source


def _output(thing: Any) -> dict[str, str]:
    if hasattr(thing, "_repr_html_"):
        return {"kind": "html", "data": str(thing._repr_html_())}
    return {"kind": "text", "data": str(thing)}


def _words(error: Exception, name: str) -> str:
    """The error and the line of the cell it came from."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


def main(cells: str, out: str) -> None:
    """Run the cells of one file and write what came of it to another."""
    made = run(json.loads(Path(cells).read_text(encoding="utf-8")))
    Path(out).write_text(json.dumps(made), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
