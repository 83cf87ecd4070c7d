"""Gradescope: results.json from a record, the zip that runs our grader there, and the run itself.

    /autograder/source/      the zip unpacked: setup.sh, run_autograder, package/, course/, secret
    /autograder/submission/  what the student uploaded     /autograder/submission_metadata.json
    /autograder/results/results.json                       what we write

Containers there are root's and commonly may not make namespaces: then bubblewrap cannot start and
the Landlock sandbox is used; where the kernel has no Landlock either, nothing is graded. Owns:
these layouts. Must not know: how a verdict arises, gradebooks. Read before: grade.py, results.py,
packing.py.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autograder import grade, packing, pages, score
from autograder.catalog import Assignment, find_course
from autograder.errors import AutograderError, CourseError
from autograder.hints import SHARED, Hint
from autograder.packing import Packed
from autograder.results import Record

MAX_METADATA = 10 * 2**20
SCRIPTS = ("setup.sh", "run_autograder")
SETTINGS = "settings.json"
SECRET = "secret"
PACKAGE = ("minengine", "autograder", "quizzes", "course", "cudasim")
BUILD = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")


def results(
    record: Record,
    hints: Mapping[str, Hint] | None = None,
    points: float | None = None,
    waits: bool | None = None,
) -> dict[str, Any]:
    """A record as Gradescope's results.json; ``points`` where they differ from the record's.

    A check's visibility is Gradescope's own word, so a student sees a hidden one never. ``waits``
    says whether a human has yet to give points; nobody has to those of the record alone.
    """
    ladder = SHARED if hints is None else hints
    mark = score.mark(record)
    said = [*record["notes"]]
    most = record.get("by_hand", {})
    waits = bool(most) if waits is None else waits
    if most:
        said.append(f"{'not ' * waits}in this score: {score.by_hand(most)}")
    if pages.unsandboxed(record):
        said.insert(0, f"{pages.STAMP}: this was graded without a sandbox.")
    return {
        "score": round(mark.points if points is None else points, 6),
        "execution_time": float(record["seconds"]),
        "output": _text(said),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "assignment": record["assignment"],
            "digest": record["digest"],
            "sandbox": record["sandbox"] or "none",
            "unsandboxed": pages.unsandboxed(record),
            "waits_for_human": waits,
        },
        "tests": [_test(n, row, ladder) for n, row in _numbered(record)],
    }


def _numbered(record: Record) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """``2.3`` is the third check of the second hole."""
    holes: dict[str, int] = {}
    for row in record["results"]:
        holes[row["hole"]] = holes.get(row["hole"], 0) + 1
        yield f"{len(holes)}.{holes[row['hole']]}", row


def _test(number: str, row: Mapping[str, Any], ladder: Mapping[str, Hint]) -> dict[str, Any]:
    passed = row["status"] == "passed"
    hint = ladder.get(row["tag"])
    lines = [row["note"]] if row.get("note") else []
    if not passed:
        title = f"{hint.title}. {hint.idea}" if hint else row["hint"]
        again = f"See it again: {row['replay']}" if row.get("replay") else ""
        lines += [title, row["message"], again]
    return {
        "score": row["points"],
        "max_score": row["max_points"],
        "status": "passed" if passed else "failed",
        "name": pages.printable(f"{row['hole']}: {row['title']}"),
        "name_format": "text",
        "number": number,
        "output": _text(lines),
        "output_format": "text",
        "tags": [] if passed else [row["tag"] or row["status"]],
        "visibility": row["visibility"],
        "extra_data": {"check": row["check"], "status": row["status"], "seconds": row["seconds"]},
    }


def _text(lines: list[str]) -> str:
    return pages.printable("\n".join(pages.clip(line) for line in lines if line))


def write_zip(
    path: Path,
    assignment: Assignment,
    secret: bytes,
    *,
    package: Path | None = None,
    allow_unsandboxed: bool = False,
) -> list[str]:
    """Write the zip to upload as an autograder; the names in it.

    ``package`` is an sdist or wheel of this package; without it the sources around this file are
    packed, which a repository has and an installation has not (CourseError). Solutions and the
    course's secret are not in it: a key for this assignment is derived from the secret.
    """
    settings = {
        "assignment": assignment.id,
        "allow_unsandboxed": allow_unsandboxed,
        "package": f"package/{package.name}" if package else "package",
    }
    return packing.write(path, _files(assignment, secret, package, settings))


def _files(
    assignment: Assignment, secret: bytes, package: Path | None, settings: dict[str, Any]
) -> Iterator[Packed]:
    for name in SCRIPTS:
        text = (pages.TEMPLATES / f"gradescope_{name}.txt").read_text(encoding="utf-8")
        yield Packed(name, text.replace("@PACKAGE@", settings["package"]).encode(), 0o755)
    yield Packed(SETTINGS, json.dumps(settings, indent=1).encode())
    yield Packed(SECRET, derived(secret, assignment.id).hex().encode(), 0o600)
    for name, file in assignment.files():
        yield Packed(f"course/{name}", file.read_bytes())
    for name, file in _package_files(package):
        yield Packed(f"package/{name}", file.read_bytes())


def derived(secret: bytes, assignment: str) -> bytes:
    """The key that goes to Gradescope: it tells nothing of the course's secret."""
    return hmac.new(secret, f"gradescope/{assignment}".encode(), hashlib.sha256).digest()


def _package_files(package: Path | None) -> Iterator[tuple[str, Path]]:
    if package is not None:
        if not package.is_file():
            raise CourseError(f"{package}: no such file; `make wheel` writes one into dist/")
        yield package.name, package
        return
    root = Path(__file__).resolve().parent.parent
    missing = [n for n in BUILD if not (root / n).is_file()]
    if missing:
        raise CourseError(
            f"{root} is no source tree ({', '.join(missing)}): name an sdist or wheel of this "
            "package with --package; `make wheel` in the repository writes both into dist/"
        )
    for name in BUILD:
        yield name, root / name
    for folder in PACKAGE:
        yield from packing.below(root, root / folder)


def run(root: Path) -> dict[str, Any]:
    """Grade the submission that Gradescope laid out below ``root`` and write results.json.

    What keeps the grader from working is an output and no score, so that it is seen to have failed.
    """
    try:
        made = _run(root)
    except AutograderError as error:
        made = {"output": f"This was not graded: {error}", "visibility": "visible"}
    text = json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False)
    pages.write(root / "results" / "results.json", text + "\n")
    return made


def _run(root: Path) -> dict[str, Any]:
    source = root / "source"
    try:
        settings = json.loads((source / SETTINGS).read_text(encoding="utf-8"))
        secret = bytes.fromhex((source / SECRET).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise CourseError(f"{source} is not what `autograder gradescope` packed: {error}") from None
    assignment = find_course(source / "course").assignment(settings["assignment"])
    notebook = _notebook(root / "submission", assignment.id)
    backend = grade.ready(settings["allow_unsandboxed"])
    job = grade.Job(assignment.root, assignment.id, secret, backend)
    student = student_of(root / "submission_metadata.json")
    with grade.Grader(job) as grader:
        record = grader(grade.Task(student, notebook))
    return results(record, assignment.hints)


def student_of(path: Path) -> str:
    """Who handed in, as submission_metadata.json says: their addresses, so that draws repeat."""
    try:
        with path.open("rb") as file:
            users = json.loads(file.read(MAX_METADATA)).get("users")
        found = [str(u.get("email") or u["id"]) for u in users]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found = []
    return "+".join(sorted(found)) or "unknown"


def _notebook(folder: Path, assignment: str) -> Path:
    """The notebook named as the assignment, or the only one."""
    named = folder / f"{assignment}.ipynb"
    found = sorted(folder.glob("*.ipynb"))
    if named in found:
        return named
    if len(found) == 1:
        return found[0]
    there = ", ".join(p.name for p in found) or "none"
    raise CourseError(f"hand in one notebook named {assignment}.ipynb; there is {there}")
