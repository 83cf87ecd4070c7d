"""An instructor's course folder: where submissions, results, reports and the secret are.

    DIR/source release submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb autograded feedback
    (nbgrader's) DIR/.autograder/secret   DIR/.autograder/results/ASSIGNMENT.jsonl
    DIR/reports/ASSIGNMENT.html

Owns: these paths, the secret. Must not know: what is in a notebook, how it is graded.
Read before: results.py.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError
from autograder.results import Results

SECRET_BYTES = 32
MAX_NAME = 128  # characters of a student's name in nbgrader's tables


@dataclass(frozen=True)
class Classroom:
    """The folder ``root``; ``autograder init`` makes one."""

    root: Path

    @property
    def secret_path(self) -> Path:
        return self.root / ".autograder" / "secret"

    def make_secret(self) -> bool:
        """Write a random secret, readable by its owner alone; False where there is one already."""
        self.secret_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(self.secret_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
        return True

    def secret(self) -> bytes:
        """The course's secret. CourseError where there is none or others may read it."""
        try:
            mode = self.secret_path.stat().st_mode
            secret = bytes.fromhex(self.secret_path.read_text().strip())
        except OSError:
            raise CourseError(
                f"{self.root} has no secret: run `autograder init {self.root}`"
            ) from None
        except ValueError:
            raise CourseError(f"{self.secret_path}: want {2 * SECRET_BYTES} hex digits") from None
        if mode & 0o077:
            raise CourseError(f"others may read {self.secret_path}: run `chmod 600` on it")
        return secret

    def results(self, assignment: str) -> Results:
        return Results(self.root / ".autograder" / "results" / f"{assignment}.jsonl")

    def report_path(self, assignment: str) -> Path:
        return self.root / "reports" / f"{assignment}.html"

    def submissions(self, assignment: str, students: str = "*") -> dict[str, Path]:
        """Student -> notebook, by name, of those whose name matches the glob ``students``.

        A folder without the notebook named as the assignment, but with one other notebook, gives
        that one. Whether the paths are what they seem is for ``submission.read`` to judge.
        """
        return {s: self.submission(assignment, s) for s in self.students(assignment, students)}

    def students(self, assignment: str, students: str = "*") -> list[str]:
        """Names, sorted, of those who handed in and match the glob ``students``."""
        folder = self.root / "submitted"
        names = os.listdir(folder) if folder.is_dir() else []
        names = [n for n in names if not n.startswith(".") and fnmatch.fnmatchcase(n, students)]
        own = {n: os.path.join(folder, n, assignment) for n in sorted(names) if not unusable(n)}
        return [n for n, path in own.items() if os.path.isdir(path) or os.path.islink(path)]

    def submission(self, assignment: str, student: str) -> Path:
        """The notebook of one student, as ``submissions`` says."""
        own = self.root / "submitted" / student / assignment
        others = sorted(own.glob("*.ipynb")) if not own.is_symlink() else []
        named = own / f"{assignment}.ipynb"
        return named if named in others or len(others) != 1 else others[0]

    def refused(self, assignment: str) -> dict[str, str]:
        """Name of a folder in ``submitted/`` that is no student's, because its name cannot be one.

        Its value says why, and what to do.
        """
        names = (p.name for p in sorted((self.root / "submitted").glob("*")))
        found = {n: why for n in names if (why := unusable(n))}
        return {
            n: why
            for n, why in found.items()
            if (self.root / "submitted" / n / assignment).is_dir()
        }


def unusable(name: str) -> str:
    """Why a folder's name is no student's, "" if it can be one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename the folder"
    if len(name) > MAX_NAME:
        return f"its name has {len(name)} characters, a gradebook takes {MAX_NAME}: shorten it"
    return ""


def secret_id(secret: bytes) -> str:
    """Names a secret without giving it away: eight bytes of its hash."""
    return hashlib.sha256(b"autograder secret id" + secret).hexdigest()[:16]
