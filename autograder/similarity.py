"""Which submissions have text in common: a list for a person to read, never a verdict.

Sources are read as tokens in which names of one's own are all alike (renaming changes nothing) and
comments, layout and the texts of strings are left out; runs of K tokens are hashed, winnowing picks
the same few of them in every text (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003; the
package copydetect has it), and what stands in the handout does not count. Compared with each other
and with the references, the alternates and the oracle. Owns: the tokens, the counting, every import
of copydetect and Pygments. Must not know: marks, gradebooks. Read before: submission.py,
catalog.py.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autograder import submission
from autograder.catalog import Assignment
from autograder.errors import CourseError, SubmissionError

K = 10  # tokens in a run: about a line
WINDOW = 6  # of this many runs in a row one is picked: K + WINDOW - 1 tokens in common are found
SHORTEST = 8  # picked runs; a text with fewer is too short to compare
LEAST = 0.6  # share in common from which a pair is listed
ALIKE = 0.95  # share from which texts make a group
MOST_PAIRS = 200
FOREIGN = ("numpy", "autograder")  # modules that say nothing of this assignment
MOST_LONG = 40_000  # characters of one source that are looked at


@dataclass(frozen=True)
class Token:
    """One word as compared, and where it stands in the source."""

    word: str
    start: int
    end: int


@dataclass(frozen=True)
class Text:
    """Something compared: ``kind`` is student, reference, alternate or oracle; sources by part."""

    name: str
    kind: str
    sources: Mapping[str, str]
    runs: Mapping[int, tuple[tuple[str, int, int], ...]] = field(repr=False)  # hash -> places

    @property
    def is_student(self) -> bool:
        return self.kind == "student"


@dataclass(frozen=True)
class Pair:
    """Two texts: ``share`` of the shorter one's runs that both have.

    ``weight`` = sum over these runs of log((n + 1) / texts of students that have the run): how
    unusual it is to have them.
    """

    a: str
    b: str
    share: float
    weight: float
    n_common: int


@dataclass(frozen=True)
class Similar:
    """What was found among ``n`` students' texts; names in ``pairs`` and ``known`` are students'.

    ``known`` pairs a student with a reference, an alternate or the oracle (b: ``kind: name``);
    ``usual`` is the class's median share with its nearest of them.
    """

    assignment: str
    n: int
    too_short: tuple[str, ...]
    unreadable: tuple[str, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, ...], ...]
    known: tuple[Pair, ...]
    usual: float
    n_pairs: int  # before the list was cut


def texts(assignment: Assignment, paths: Mapping[str, Path]) -> tuple[list[Text], list[str]]:
    """(the texts of all students and of what they are compared with, students unreadable)."""
    ours = handout_runs(assignment)
    found, unreadable = [], []
    for student, path in paths.items():
        try:
            sources = submission.read(path, assignment.handout).holes
        except SubmissionError:
            unreadable.append(student)
            continue
        found.append(text(student, "student", sources, ours))
    return found + known_texts(assignment, ours), unreadable


def known_texts(assignment: Assignment, ours: frozenset[int]) -> list[Text]:
    """Reference and alternates where they are (an installation has none), and the oracle."""
    found = []
    if (assignment.folder / "reference.py").is_file():
        for one in assignment.solutions():
            if one.kind in ("reference", "alternate"):
                found.append(text(one.name, one.kind, one.own, ours))
    for path in oracles(assignment):
        source = path.read_text(encoding="utf-8")
        found.append(text(path.name, "oracle", {path.stem: source}, ours))
    return found


def oracles(assignment: Assignment) -> list[Path]:
    """What says right and wrong: modules that the checks call, and the files beside the checks."""
    used = [v for c in assignment.checks for v in c.function.__globals__.values()]
    modules = {v for v in used if isinstance(v, ModuleType)}
    ours = [m for m in modules if m.__name__.split(".")[0] not in FOREIGN]
    named = {Path(f) for m in ours if (f := getattr(m, "__file__", "") or "").endswith(".py")}
    beside = assignment.parts
    named |= {p for p in beside.glob("*.py") if p.stem not in ("checks", "handout")}
    return sorted(named, key=lambda p: p.name)


def handout_runs(assignment: Assignment) -> frozenset[int]:
    """All runs of the code that students were given."""
    given = [c.source for c in assignment.handout.cells if c.kind != "markdown"]
    return frozenset(int(h) for source in given for h in hashes(tokens(source)))


def text(name: str, kind: str, sources: Mapping[str, str], ours: frozenset[int]) -> Text:
    """The picked runs of some sources without those in ``ours``."""
    runs: dict[int, list[tuple[str, int, int]]] = {}
    for part, source in sources.items():
        words = tokens(source)
        for value, i in zip(*picked(hashes(words)), strict=True):
            if int(value) not in ours:
                place = (part, words[i].start, words[i + K - 1].end)
                runs.setdefault(int(value), []).append(place)
    return Text(name, kind, dict(sources), {h: tuple(p) for h, p in runs.items()})


def tokens(source: str) -> list[Token]:
    """The words of a source: own names are V, strings S; attributes and built-ins stay."""
    lexer, kinds = _pygments()
    found: list[Token] = []
    dot = False
    for at, kind, word in lexer.get_tokens_unprocessed(source[:MOST_LONG]):
        if not word.strip() or kind in kinds.Comment or kind in kinds.String.Doc:
            continue
        said = word
        if kind in kinds.String:
            if found and found[-1].word == "S":
                found[-1] = Token("S", found[-1].start, at + len(word))
                continue
            said = "S"
        elif kind in kinds.Name and kind not in kinds.Name.Builtin and not dot:
            said = "V"
        dot = word == "."
        found.append(Token(said, at, at + len(word)))
    return found


def hashes(words: list[Token]) -> np.ndarray:
    """CRC-32 of every run of K words: Python's own hash would pick others in every process."""
    coded = [w.word.encode("utf-8", "replace") for w in words]
    runs = (b" ".join(coded[i : i + K]) for i in range(len(coded) - K + 1))
    return np.array([zlib.crc32(run) for run in runs], dtype=np.int64)


def picked(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the runs that winnowing keeps, their places)."""
    if len(values) < WINDOW:
        return values, np.arange(len(values))
    return _winnow()(values, WINDOW, remove_duplicates=False)


@cache
def _winnow() -> Any:
    try:
        from copydetect.utils import winnow
    except ImportError as error:
        raise _missing(error) from None
    return winnow


@cache
def _pygments() -> tuple[Any, Any]:
    try:
        from pygments import token
        from pygments.lexers import PythonLexer
    except ImportError as error:
        raise _missing(error) from None
    return PythonLexer(stripnl=False, ensurenl=False), token


def _missing(error: ImportError) -> CourseError:
    return CourseError(f"{error.name} is missing: pip install 'minengine[similarity]'")


def compare(
    assignment: str, found: Iterable[Text], unreadable: Iterable[str] = (), least: float = LEAST
) -> Similar:
    """Every pair of students with ``least`` in common, groups, and what each has of known texts.

    n students of r runs cost about n r (texts that have a run) steps.
    """
    everyone = sorted((t for t in found if len(t.runs) >= SHORTEST), key=lambda t: t.name)
    short = tuple(t.name for t in found if t.is_student and len(t.runs) < SHORTEST)
    students = [t for t in everyone if t.is_student]
    known = [t for t in everyone if not t.is_student]
    table = Table([*students, *known], len(students))
    pairs, nearest = [], []
    for i, one in enumerate(students):
        n_common, weights = table.row(i)
        shares = n_common / np.minimum(len(one.runs), table.lengths)
        for j in np.flatnonzero(shares[i + 1 : len(students)] >= least) + i + 1:
            pairs.append(_pair(one, students[j].name, shares[j], weights[j], n_common[j]))
        # of a known text it is the student's part that counts: the oracle has much else besides
        own = n_common[len(students) :] / len(one.runs)
        if len(known):
            best = int(np.argmax(own))
            j, name = len(students) + best, f"{known[best].kind}: {known[best].name}"
            nearest.append(_pair(one, name, own[best], weights[j], n_common[j]))
    groups = _groups(pairs)
    inside = {name: i for i, group in enumerate(groups) for name in group}
    apart = [p for p in pairs if inside.get(p.a, -1) != inside.get(p.b, -2)]
    apart.sort(key=lambda p: (-p.weight, p.a, p.b))
    listed = sorted((p for p in nearest if p.share >= least), key=lambda p: (-p.share, p.a))
    return Similar(
        assignment,
        len(students),
        tuple(sorted(short)),
        tuple(unreadable),
        tuple(apart[:MOST_PAIRS]),
        groups,
        tuple(listed[:MOST_PAIRS]),
        float(np.median([p.share for p in nearest])) if nearest else 0.0,
        len(apart),
    )


class Table:
    """For each run the texts that have it, and how unusual it is among students."""

    def __init__(self, found: list[Text], n_students: int) -> None:
        self.lengths = np.array([len(t.runs) for t in found])
        numbers: dict[int, int] = {}
        self._runs = [
            np.array([numbers.setdefault(h, len(numbers)) for h in t.runs]) for t in found
        ]
        having: list[list[int]] = [[] for _ in numbers]
        for i, runs in enumerate(self._runs):
            for run in runs:
                having[run].append(i)
        self._having = [np.array(h) for h in having]
        n_with = np.array([max(1, int((h < n_students).sum())) for h in self._having])
        self._weights = np.log((n_students + 1) / n_with)

    def row(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """(how many runs text i has in common with each text, the sum of their weights)."""
        lists = [self._having[run] for run in self._runs[i]]
        ids = np.concatenate(lists)
        weights = np.repeat(self._weights[self._runs[i]], [len(x) for x in lists])
        n = len(self.lengths)
        return np.bincount(ids, minlength=n), np.bincount(ids, weights, minlength=n)


def _pair(one: Text, other: str, share: float, weight: float, n: int) -> Pair:
    return Pair(one.name, other, round(float(share), 4), round(float(weight), 3), int(n))


def _groups(pairs: list[Pair]) -> tuple[tuple[str, ...], ...]:
    """Three or more who are each ALIKE to another of them, the largest group first."""
    root: dict[str, str] = {}

    def top(name: str) -> str:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for pair in pairs:
        if pair.share >= ALIKE:
            root[top(pair.a)] = top(pair.b)
    members: dict[str, list[str]] = {}
    for name in root:
        members.setdefault(top(name), []).append(name)
    large = [tuple(sorted(m)) for m in members.values() if len(m) > 2]
    return tuple(sorted(large, key=lambda m: (-len(m), m)))


def marked(one: Text, other: Text) -> dict[str, list[tuple[bool, str]]]:
    """The sources of ``one`` by part in pieces: (does ``other`` have it too, text)."""
    spans: dict[str, list[tuple[int, int]]] = {part: [] for part in one.sources}
    for run in one.runs.keys() & other.runs.keys():
        for part, start, end in one.runs[run]:
            spans[part].append((start, end))
    return {part: _pieces(source, sorted(spans[part])) for part, source in one.sources.items()}


def _pieces(source: str, spans: list[tuple[int, int]]) -> list[tuple[bool, str]]:
    pieces, at = [], 0
    for start, end in spans:
        if start > at:
            pieces.append((False, source[at:start]))
        if end > at:
            pieces.append((True, source[max(at, start) : end]))
        at = max(at, end)
    pieces.append((False, source[at:]))
    joined: list[tuple[bool, str]] = []
    for common, piece in pieces:
        if joined and joined[-1][0] == common:
            joined[-1] = (common, joined[-1][1] + piece)
        elif piece:
            joined.append((common, piece))
    return joined
