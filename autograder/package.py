"""A notebook's cells as a package of files: each hole in its module, imported where it is used.

An assignment that wants it has MODULES in its checks.py: module -> the holes that stand in it.
Owns: the files' text. Must not know: checks, marks. Nothing of a submission is run.
Read before: submission.py, borrowed.py.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder import borrowed
from autograder.errors import CourseError

GIVEN = {"np": "import numpy as np"}  # what the notebook's first cell gives every hole
HEAD = '"""{title}: {holes}."""\n\nfrom __future__ import annotations\n'


def texts(
    sources: Mapping[str, str], modules: Mapping[str, Sequence[str]], title: str
) -> dict[str, str]:
    """File name -> its text, ``__init__.py`` among them. CourseError where a hole has no module.

    What a module uses and another defines is imported from there: at its top from a module that
    stands before it in the table, at its end from one behind it, so that circles do no harm.
    """
    lost = sorted(set(sources) - {h for holes in modules.values() for h in holes})
    if lost:
        raise CourseError(f"{', '.join(lost)}: in no module of MODULES")
    bodies = {
        module: "\n\n\n".join(sources[h].strip("\n") for h in holes if h in sources)
        for module, holes in modules.items()
    }
    home = {name: m for m in bodies for name in _defined(bodies[m])}
    files = {}
    for module, body in bodies.items():
        used = borrowed.uses(body)
        given = [line for name, line in GIVEN.items() if name in used and name not in home]
        first, last = [], []
        for other in bodies:
            names = sorted(n for n in used if home.get(n) == other != module)
            place = last if list(bodies).index(other) > list(bodies).index(module) else first
            place += [f"from .{other} import {', '.join(names)}"] if names else []
        head = HEAD.format(title=title, holes=", ".join(modules[module]))
        parts = [head, "\n".join(given), "\n".join(first)]
        top = "\n\n".join(part.strip("\n") for part in parts if part)
        end = "".join(f"{line}  # noqa: E402\n" for line in last)
        files[f"{module}.py"] = f"{top}\n\n\n{body}\n" + (f"\n{end}" if end else "")
    exports = {m: [h for h in holes if h in sources] for m, holes in modules.items()}
    lines = [f"from .{m} import {', '.join(holes)}" for m, holes in exports.items() if holes]
    names = sorted(h for holes in exports.values() for h in holes)
    listed = ", ".join(f'"{n}"' for n in names)
    files["__init__.py"] = f'"""{title}."""\n\n' + "\n".join(lines) + f"\n\n__all__ = [{listed}]\n"
    return files


def _defined(source: str) -> set[str]:
    return {n for one in borrowed.definitions(0, source) for n in one.names}


def write(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write the files of a package; CourseError for a name that no package can have, or a folder
    with files that are none of these.
    """
    if not folder.name.isidentifier() or keyword.iskeyword(folder.name):
        raise CourseError(f"{folder.name!r} is no name of a package: letters, digits and _")
    if folder.is_dir() and (others := sorted({p.name for p in folder.glob("*.py")} - set(files))):
        raise CourseError(f"{folder} has {', '.join(others)}: choose another place")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]
