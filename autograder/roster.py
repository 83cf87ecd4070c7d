"""The roster: who is in the class, read from a CSV as a learning system exports it.

Columns are found by their names (COLUMNS): Canvas's gradebook export, Moodle's participants or
grading worksheet, Gradescope's roster and nbgrader's own list need no setting. Nothing is guessed:
rows that cannot be used and columns that mean the same are said. Owns: the columns, whom a file's
owner matches, ``.autograder/roster.csv``. Must not know: notebooks, archives, gradebooks.
Read before: pages.py, classroom.py.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from autograder import pages
from autograder.errors import CourseError

MAX_BYTES = 20 * 2**20
# field of a person -> headings that mean it, in lower case, with single spaces for _ - .
COLUMNS = {
    "student": ("student id", "nbgrader id", "jupyterhub user", "github username"),
    "login": ("sis login id", "login id", "login", "username", "user name", "netid"),
    "sid": ("sis user id", "sid", "id number", "student number", "integration id"),
    "lms_id": ("lms user id", "canvas id", "canvas user id", "user id", "moodle id"),
    "email": ("email", "email address", "e mail", "mail"),
    "first": ("first name", "firstname", "given name", "forename", "first name(s)"),
    "last": ("last name", "lastname", "surname", "family name"),
    "name": ("full name", "name", "student", "student name"),
    "section": ("section", "sections", "group"),
    "participant": ("identifier", "participant"),
}
ID_FROM = ("student", "login", "sid", "email", "lms_id")  # which becomes the student's id
STRONG = ("student", "login", "sid", "lms_id", "email", "participant")  # each names one person
# nbgrader splits at +; others lead elsewhere, or begin an option or a spreadsheet's formula
NOT_A_NAME = re.compile(r"^\W|[+/\\\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Person:
    """One row: ``student`` is the id that names folders and stands in the gradebook."""

    student: str
    first: str = ""
    last: str = ""
    email: str = ""
    login: str = ""
    sid: str = ""
    lms_id: str = ""
    section: str = ""
    participant: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.first} {self.last}".strip()

    @property
    def last_first(self) -> str:
        """``Lovelace, Ada``: as gradebooks sort."""
        return ", ".join(filter(None, (self.last, self.first)))


FIELDS = tuple(f.name for f in fields(Person))


@dataclass(frozen=True)
class Match:
    """Who an owner is: the person and ``by`` what, or why nobody was taken."""

    person: Person | None
    by: str = ""
    why: str = ""


class Roster:
    """Persons by student id, and by every key that could name one of them."""

    def __init__(self, people: Iterable[Person], problems: Iterable[str] = ()) -> None:
        self.people = {p.student: p for p in people}
        self.problems = tuple(problems)
        self._keys: dict[tuple[str, str], set[str]] = {}
        self._names: dict[str, set[str]] = {}
        for one in self:
            for field in STRONG:
                if value := key(getattr(one, field)):
                    self._keys.setdefault((field, value), set()).add(one.student)
            for name in (one.first + one.last, one.last + one.first):
                if squeezed := squeeze(name):
                    self._names.setdefault(squeezed, set()).add(one.student)

    def __len__(self) -> int:
        return len(self.people)

    def __iter__(self) -> Iterator[Person]:
        return iter(self.people.values())

    def match(self, who: Mapping[str, str]) -> Match:
        """The one person whom ``who`` (fields as in Person, ``name``, or ``any``) names.

        A key (id, login, number, address) counts before a name. Two keys that name two persons, or
        a name that two have, match nobody.
        """
        found: dict[str, str] = {}
        for field, text in who.items():
            for column in STRONG if field == "any" else (field,):
                for student in self._keys.get((column, key(text)), ()):
                    found.setdefault(student, column)
        if not found:
            name = squeeze(who.get("name") or who.get("any") or "")
            found = dict.fromkeys(sorted(self._names.get(name, ())), "name")
        shown = who.get("name") or next(iter(who.values()))
        if len(found) == 1:
            student, by = next(iter(found.items()))
            return Match(self.people[student], by)
        if found:
            return Match(None, why=f"{shown} may be {' or '.join(sorted(found))}")
        return Match(None, why=f"{shown} is not in the roster")


def read(path: Path | str, id_column: str = "") -> Roster:
    """The roster of a CSV file; ``id_column`` says by heading which column is the student's id.

    CourseError where the file or its columns cannot be used; rows that cannot be are in
    ``problems``.
    """
    path = Path(path)
    try:
        data = path.read_bytes()[: MAX_BYTES + 1]
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: cannot be read: {error}") from None
    if len(data) > MAX_BYTES:
        raise CourseError(f"{path}: more than {MAX_BYTES // 2**20} MiB")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise CourseError(f"{path}: not a CSV file: {error}") from None
    if not rows:
        raise CourseError(f"{path}: empty; want a first row with the names of columns")
    columns = _columns(path, rows[0], id_column)
    return _people(path, rows, columns)


def _columns(path: Path, heading: list[str], id_column: str) -> dict[str, int]:
    """Field -> number of its column. CourseError where two columns mean one, or none names anybody.

    A column ``ID`` is the system's own number beside a column Student or SIS (Canvas), and the
    student's id without one (nbgrader).
    """
    named = [" ".join(re.split(r"[\s_.-]+", cell.strip().lower())) for cell in heading]
    found: dict[str, int] = {}
    for i, name in enumerate(named):
        field = next((f for f, names in COLUMNS.items() if name in names), None)
        if name == "id":
            canvas = "student" in named or any(n.startswith("sis ") for n in named)
            field = "lms_id" if canvas else "student"
        if field is None:
            continue
        if field in found:
            raise CourseError(
                f"{path}: columns {heading[found[field]]!r} and {heading[i]!r} both mean {field}; "
                "remove or rename one"
            )
        found[field] = i
    if id_column:
        if id_column not in heading:
            raise CourseError(f"{path}: no column {id_column!r}; there is {', '.join(heading)}")
        found["student"] = heading.index(id_column)
    if not any(f in found for f in ID_FROM):
        wanted = ", ".join(COLUMNS[f][0] for f in ID_FROM)
        raise CourseError(
            f"{path}: no column that tells students apart (one of {wanted}, id); "
            f"there is {', '.join(filter(None, heading)) or 'nothing'}"
        )
    return found


def _people(path: Path, rows: list[list[str]], columns: Mapping[str, int]) -> Roster:
    source = next(f for f in ID_FROM if f in columns)
    people: dict[str, Person] = {}
    problems = []
    for number, row in enumerate(rows[1:], 2):
        values = {f: row[i].strip() for f, i in columns.items() if i < len(row)}
        if not any(values.values()) or "points possible" in values.get("name", "").lower():
            continue  # an empty line; Canvas's second row
        student, where = values.get(source, ""), f"{path.name}:{number}"
        who = values.get("name") or values.get("email") or values.get("last") or student or "row"
        if not student:
            problems.append(f"{where}: {who} has no {source}, so no id")
        elif NOT_A_NAME.search(student):
            problems.append(f"{where}: {student!r} cannot be the name of a folder")
        elif student in people:
            problems.append(f"{where}: {student} is there twice; the first row counts")
        else:
            people[student] = _person(student, values)
    return Roster(people.values(), problems)


def _person(student: str, values: dict[str, str]) -> Person:
    """``Lovelace, Ada`` and ``Ada Lovelace`` are taken apart where there are no two columns."""
    name = values.pop("name", "")
    first, last = values.get("first", ""), values.get("last", "")
    if not (first or last):
        if "," in name:
            last, first = (part.strip() for part in name.split(",", 1))
        else:
            first, _, last = name.rpartition(" ")
            first, last = (first, last) if first else (last, "")
    return Person(**{**values, "student": student, "first": first, "last": last})


def load(root: Path) -> Roster:
    """The roster kept in a course folder; an empty one where there is none."""
    path = kept_at(root)
    if not path.exists():
        return Roster(())
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return Roster([Person(**{f: row.get(f) or "" for f in FIELDS}) for row in rows])


def keep(root: Path, roster: Roster) -> Path:
    """Write the roster into a course folder; persons of an older one that are not in it stay."""
    people = {**load(root).people, **roster.people}
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, FIELDS)
    writer.writeheader()
    writer.writerows({f: getattr(p, f) for f in FIELDS} for _, p in sorted(people.items()))
    return pages.write(kept_at(root), text.getvalue(), 0o600)


def kept_at(root: Path) -> Path:
    return Path(root) / ".autograder" / "roster.csv"


def key(text: str) -> str:
    """A key as compared: without case and blanks around it."""
    return text.strip().casefold()


def squeeze(name: str) -> str:
    """A name as learning systems write it into file names: letters and digits alone, no accents."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(c for c in plain if c.isalnum())
