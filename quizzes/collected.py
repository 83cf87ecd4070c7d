"""Papers for marks: dealt with the course's secret, collected as files, marked by drawing them
again.

Owns: the secret's file, which file belongs to which paper. Must not know: terminals. Read before:
``replies.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import QuizError, ReplyError
from .marking import Mark, mark
from .paper import Paper, draw
from .replies import Replies, read, template
from .schema import Bank, Plan

FEWEST_SECRET_BYTES = 16
ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Row:
    """One collected file: its mark, or why it has none."""

    path: Path
    mark: Mark | None = None
    error: str = ""

    def cells(self) -> list[str]:
        """The row of a table."""
        if self.mark is None:
            return [self.path.stem, "", "", "", "no mark", self.error]
        paper = self.mark.paper
        missed = ", ".join(v.question.id for v in self.mark.verdicts if not v.right)
        passed = "yes" if self.mark.passed else "no"
        n_right, n_all = str(self.mark.n_right), str(len(paper.questions))
        return [paper.student, paper.plan.quiz, n_right, n_all, passed, missed]


def read_secret(path: Path) -> bytes:
    """The course's secret, without the newline at its end."""
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ReplyError(f"{path}: cannot be read: {error.strerror}") from None
    if len(secret) < FEWEST_SECRET_BYTES:
        raise ReplyError(f"{path}: {len(secret)} bytes, want at least {FEWEST_SECRET_BYTES}")
    return secret


def deal(
    quiz: str,
    students: Sequence[str],
    secret: Path,
    out: Path,
    banks: Mapping[str, Bank],
    plans: Mapping[str, Plan] | None = None,
) -> list[Path]:
    """A file of empty replies for each student, named after the student."""
    seed = read_secret(secret)
    paths = []
    for student in students:
        path = out / f"{file_name(student)}.yaml"
        paper = draw(quiz, student, seed, banks=banks, plans=plans)
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(template(paper), encoding="utf-8")
        paths.append(path)
    return paths


def file_name(student: str) -> str:
    """The student's name, where it can name a file."""
    if not student or student in (".", "..") or set(student) & set('/\\\0:*?"<>|\n'):
        raise ReplyError(f"{student!r} cannot be the name of a file")
    return student


def mark_all(
    paths: Sequence[Path],
    secret: Path | None,
    banks: Mapping[str, Bank],
    plans: Mapping[str, Plan] | None = None,
) -> list[Row]:
    """Every file marked, in order; folders stand for the files in them. One student, one mark."""
    seed = None if secret is None else read_secret(secret)
    rows: list[Row] = []
    seen: dict[tuple[str, str], Path] = {}
    for path in found(paths):
        try:
            result = mark_one(path, seed, banks, plans)
            whose = (result.paper.student, result.paper.plan.quiz)
            if whose in seen:
                raise ReplyError(f"{whose[0]} has handed in {seen[whose].name} already")
            seen[whose] = path
            rows.append(Row(path, result))
        except QuizError as error:
            rows.append(Row(path, None, str(error)))
    return rows


def found(paths: Sequence[Path]) -> list[Path]:
    """The files, those of folders (and of theirs) in the order of their names."""
    files = []
    for path in paths:
        if path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix in ENDINGS and p.is_file())
        elif path.exists():
            files.append(path)
        else:
            raise ReplyError(f"{path}: no such file")
    return files


def mark_one(
    path: Path,
    seed: bytes | None,
    banks: Mapping[str, Bank],
    plans: Mapping[str, Plan] | None = None,
) -> Mark:
    """The mark of one file; with a secret, the file's own seed does not count."""
    given = read(path)
    if not given.quiz:
        raise ReplyError(f"{path.name}: it does not say which quiz (field `quiz`)")
    student = given.student or path.stem
    paper = draw(given.quiz, student, seed or given.seed or "1", banks=banks, plans=plans)
    check(given, paper)
    return mark(paper, given.answers)


def check(given: Replies, paper: Paper) -> None:
    """ReplyError where the replies belong to another paper than this one."""
    if given.paper and given.paper != paper.digest:
        raise ReplyError(
            f"the replies are for paper {given.paper}, the one of {paper.student} (seed "
            f"{paper.seed}) is {paper.digest}: another student, another seed or a changed bank"
        )
    unknown = sorted(set(given.answers) - {q.id for q in paper.questions})
    if unknown:
        raise ReplyError(f"question {unknown[0]!r} is not on this paper")
