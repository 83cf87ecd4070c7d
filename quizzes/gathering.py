"""Handed-in files of replies, out of folders and zips, one for each student and quiz.

Owns: which files there are, whose they are, which one counts. Must not know: marks, terminals.
Read before: ``replies.py``, ``collected.py``. All of it comes from outside: sizes and numbers are
capped, links are left alone, nothing is unpacked but texts that parse as replies, and a name
becomes a file's only where it can be one.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from .collected import ENDINGS, check, file_name, read_secret
from .errors import QuizError, ReplyError
from .paper import draw
from .replies import LARGEST_BYTES, Replies, parse
from .schema import Bank, Plan

MOST_FILES = 20_000


@dataclass(frozen=True)
class Handed:
    """A file as it was handed in: where it stood, when it was written, its bytes.

    ``problem`` says why a zip gave none.
    """

    name: str
    when: float
    raw: bytes
    problem: str = ""


@dataclass
class Gathered:
    """What came of a collection: kept files by (quiz, student), and what is wrong with others."""

    kept: dict[tuple[str, str], Handed]
    older: list[tuple[str, Handed]]
    refused: list[tuple[str, str]]
    missing: list[str]

    @property
    def ok(self) -> bool:
        """Nothing was refused and nobody is missing."""
        return not self.refused and not self.missing


def gather(
    sources: Sequence[Path],
    *,
    quiz: str | None = None,
    secret: Path | None = None,
    roster: Sequence[str] = (),
    banks: Mapping[str, Bank],
    plans: Mapping[str, Plan] | None = None,
) -> Gathered:
    """The latest file of each student and quiz; with the secret, only those of dealt papers.

    A file that belongs to a paper of somebody else is refused: its digest names the paper. Others
    than those of a ``roster`` are refused too, and who handed nothing in is missing.
    """
    seed = None if secret is None else read_secret(secret)
    result = Gathered({}, [], [], [])
    for file in files(sources):
        try:
            if file.problem:
                raise ReplyError(file.problem)
            given = parse(Path(file.name), file.raw)
            whose = owner(given, quiz, roster)
            paper = draw(*whose, seed or given.seed or "1", banks=banks, plans=plans)
            check(given, paper)
            if seed is not None and not given.paper:
                raise ReplyError(f"{file.name}: it does not say which paper (field `paper`)")
        except QuizError as error:
            result.refused.append((file.name, str(error)))
            continue
        before = result.kept.get(whose)
        if before is not None and before.raw != file.raw:
            result.older.append((whose[1], min(before, file, key=lambda f: f.when)))
        if before is None or file.when >= before.when:
            result.kept[whose] = file
    there = {student for _, student in result.kept}
    result.missing = [name for name in roster if name not in there]
    return result


def owner(given: Replies, quiz: str | None, roster: Sequence[str]) -> tuple[str, str]:
    """The quiz and the student that a file names; ReplyError where it is not wanted here."""
    if not given.quiz or not given.student:
        raise ReplyError("it does not say which quiz and whose (fields `quiz` and `student`)")
    if quiz is not None and given.quiz != quiz:
        raise ReplyError(f"it is for quiz {given.quiz!r}, wanted is {quiz!r}")
    if roster and given.student not in roster:
        raise ReplyError(f"{given.student!r} is not on the roster")
    file_name(given.student)
    file_name(given.quiz)
    return given.quiz, given.student


def files(sources: Sequence[Path]) -> Iterator[Handed]:
    """Every file of replies in files, folders (and theirs) and zips, links left out."""
    n = 0
    for source in sources:
        if not source.exists():
            raise ReplyError(f"{source}: no such file")
        for file in inside(source):
            n += 1
            if n > MOST_FILES:
                raise ReplyError(f"{source}: more than {MOST_FILES} files")
            yield file


def inside(source: Path) -> Iterator[Handed]:
    """The files of one source, in the order of their names."""
    if source.is_dir():
        for root, folders, names in os.walk(source, followlinks=False):
            folders.sort()
            for path in (Path(root) / name for name in sorted(names)):
                if path.suffix in (*ENDINGS, ".zip") and path.is_file() and not path.is_symlink():
                    yield from inside(path)
    elif source.suffix == ".zip":
        yield from zipped(source)
    else:
        with source.open("rb") as file:
            yield Handed(str(source), source.stat().st_mtime, file.read(LARGEST_BYTES + 1))


def zipped(source: Path) -> Iterator[Handed]:
    """The files of replies in a zip; each is read up to the cap, whatever its header says."""
    try:
        with zipfile.ZipFile(source) as archive:
            for info in sorted(archive.infolist()[: MOST_FILES + 1], key=lambda i: i.filename):
                name = PurePosixPath(info.filename)
                if info.is_dir() or name.suffix not in ENDINGS or "__MACOSX" in name.parts:
                    continue
                with archive.open(info) as member:
                    raw = member.read(LARGEST_BYTES + 1)
                yield Handed(f"{source.name}:{name}", written(info), raw)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, ValueError) as error:
        yield Handed(str(source), 0.0, b"", f"{source}: no zip that can be read: {error}")


def written(info: zipfile.ZipInfo) -> float:
    """When a member of a zip was written, by its own clock; 0 for a date that is none."""
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def save(result: Gathered, out: Path) -> list[Path]:
    """Write what was kept as ``out/QUIZ/STUDENT.yaml`` (or .json)."""
    paths = []
    for (quiz, student), file in sorted(result.kept.items()):
        ending = ".json" if file.raw.lstrip().startswith(b"{") else ".yaml"
        folder = out / quiz
        folder.mkdir(parents=True, exist_ok=True)
        for other in ENDINGS:
            (folder / f"{student}{other}").unlink(missing_ok=True)
        paths.append(folder / f"{student}{ending}")
        paths[-1].write_bytes(file.raw)
    return paths


def read_roster(path: Path) -> list[str]:
    """Names of students, one a line; empty lines and those that begin with # are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReplyError(f"{path}: cannot be read: {error}") from None
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for name in names:
        file_name(name)
        if names.count(name) > 1:
            raise ReplyError(f"{path}: {name!r} is there twice")
    if not names:
        raise ReplyError(f"{path}: no names")
    return names
