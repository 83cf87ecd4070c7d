"""Lessons are run here, each in a kernel of its own, and what they gave is kept.

The cache is jupyter-cache's, which MyST-NB reads when it makes the pages. Owns: how a lesson runs,
what a failing cell says. Must not know: pages. Read before: lessons.py.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.site.lessons import LessonError, Staged

TIMEOUT_S = 180
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Cell:
    """A code cell that ran: the line of the lesson where it begins, its code, what it gave."""

    line: int
    code: str
    tags: tuple[str, ...]
    outputs: tuple[dict[str, Any], ...]

    def text(self) -> str:
        """What was printed or shown as text; of a drawing, the sentence that describes it."""
        return "\n".join(t for t in (text_of(o) for o in self.outputs) if t)

    def values(self) -> dict[str, str]:
        """Key -> text of each value that prose shows."""
        found = {}
        for output in self.outputs:
            key = output.get("metadata", {}).get("scrapbook", {}).get("name", "")
            if key:
                plain = output["data"]["application/papermill.record/text/plain"]
                found[key.removeprefix("application/papermill.record/")] = plain.strip("'\"")
        return found


def text_of(output: dict[str, Any]) -> str:
    """One output as text."""
    if output["output_type"] == "stream":
        return output["text"]
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    data = output.get("data", {})
    if found := re.search(r'aria-label="([^"]*)"', data.get("text/html", "")):
        return found[1]
    return data.get("text/plain", "")


def run(staged: Staged, name: str, folder: Path) -> list[Cell]:
    """The code cells of a lesson with their outputs, run unless `folder` has them.

    Raises: LessonError with the line and the traceback of a cell that fails.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    notebook = read(staged)
    if not any(c.cell_type == "code" for c in notebook.cells):
        return []
    cache = get_cache(str(folder))
    try:
        _, notebook = cache.merge_match_into_notebook(notebook)
    except KeyError:
        _execute(notebook, staged, name)
        bundle = CacheBundleIn(notebook, name, data={})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return list(_cells(notebook, staged))


def read(staged: Staged) -> Any:
    """A lesson's cells, those of text too, as a notebook that has not run."""
    from myst_nb.core.read import read_myst_markdown_notebook

    return read_myst_markdown_notebook(staged.text, add_source_map=True)


def _execute(notebook: Any, staged: Staged, name: str) -> None:
    """Run the notebook in place, in an empty folder."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    with tempfile.TemporaryDirectory() as place:
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_name="python3",
            record_timing=False,  # it would be part of what the cache is searched by
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": place}},
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError) as error:
            line = next((c.line for c in _cells(notebook, staged) if _failed(c)), 1)
            said = ANSI.sub("", str(error)).strip()
            raise LessonError(f"{name}:{line}: the cell fails\n{said}") from None


def _failed(cell: Cell) -> bool:
    is_error = any(o["output_type"] == "error" for o in cell.outputs)
    return is_error and "raises-exception" not in cell.tags


def _cells(notebook: Any, staged: Staged) -> Iterator[Cell]:
    starts = notebook.metadata.get("source_map") or [1] * len(notebook.cells)
    for cell, start in zip(notebook.cells, starts, strict=True):
        if cell.cell_type == "code":
            line = next((n for n in staged.origin[start - 1 :] if n), 1)
            tags = tuple(cell.metadata.get("tags", ()))
            yield Cell(line, cell.source, tags, tuple(dict(o) for o in cell.get("outputs", ())))
