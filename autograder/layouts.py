"""How learning systems lay out what was handed in: whose file it is, which attempt, from when.

One row of LAYOUTS a system. Owns: names of files and folders as Canvas, Moodle, Gradescope and
nbgrader's exchange write them. Must not know: rosters, the course folder, how files are read
safely. Read before: archive.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import yaml

from autograder.archive import Archive, Entry, Unreadable
from autograder.errors import CourseError

NOTEBOOK = ".ipynb"
GRADESCOPE = "submission_metadata.yml"
# lovelaceada_LATE_1001_20345_01_tiny-2.ipynb; older exports leave LATE and its _ away
CANVAS = re.compile(
    r"^(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<file>\d+)_(?P<original>.+)$"
)
MOODLE = re.compile(r"^(?P<name>.+)_(?P<participant>\d+)_assignsubmission_file_?$")
MOODLE_FLAT = re.compile(
    r"^(?P<name>.+?)_(?P<participant>\d+)_assignsubmission_file_(?P<original>.+)$"
)
COPY = re.compile(r"^(?P<stem>.+?)(?: ?\((?P<browser>\d+)\)|-(?P<again>\d{1,3}))$")
UNWANTED = ("__MACOSX", ".ipynb_checkpoints")
NBGRADERS = ("timestamp.txt", "submission_secret.txt")  # what its submit puts beside notebooks


@dataclass(frozen=True)
class Attempt:
    """One notebook handed in.

    ``who`` names its owner by what the system knows: fields of roster.Person, ``name``, or ``any``
    where it is one of these. ``own_id`` is the student's id where there is no roster. ``when`` the
    system says it came, ``sure`` if a student cannot have written that. ``order`` grows with newer
    attempts; ``warning`` is why it must not be taken unasked.
    """

    entry: Entry
    who: Mapping[str, str]
    own_id: str
    order: tuple = ()
    when: datetime | None = None
    sure: bool = False
    late: bool = False
    warning: str = ""


@dataclass(frozen=True)
class Layout:
    """A system: ``is_it`` recognises its archives, ``attempts`` reads the notebooks of one."""

    name: str
    says: str
    is_it: Callable[[list[Entry]], bool]
    attempts: Callable[[Archive, str], Iterator[Attempt | str]]


def of(archive: Archive, name: str = "") -> Layout:
    """The layout called ``name``, or the first that recognises the archive."""
    if name:
        found = [row for row in LAYOUTS if row.name == name]
        if not found:
            known = ", ".join(row.name for row in LAYOUTS)
            raise CourseError(f"no layout {name!r}: there is {known}")
        return found[0]
    entries = [e for e in archive.entries if not unwanted(e)]
    return next(row for row in LAYOUTS if row.is_it(entries))


def read(archive: Archive, assignment: str, name: str = "") -> tuple[Layout, list[Attempt | str]]:
    """(the layout, every attempt at ``assignment``, and a line for each file left out)."""
    layout = of(archive, name)
    clean = replace(archive, entries=tuple(e for e in archive.entries if not unwanted(e)))
    return layout, list(layout.attempts(clean, assignment))


def unwanted(entry: Entry) -> bool:
    """Files that systems put beside what a student chose to hand in."""
    parts = entry.parts
    return not parts or any(p in UNWANTED for p in parts) or parts[-1].startswith("._")


def copy_number(stem: str) -> tuple[str, int]:
    """``hw-2`` -> (hw, 2) as Canvas numbers, ``hw (2)`` -> (hw, 2) as browsers do, ``hw`` -> 0."""
    match = COPY.match(stem)
    if match is None:
        return stem, 0
    return match["stem"], int(match["browser"] or match["again"])


def _is_notebook(entry: Entry) -> bool:
    return entry.name.lower().endswith(NOTEBOOK)


def _no_notebook(entry: Entry) -> str:
    return f"{entry.name}: no notebook ({NOTEBOOK})"


def _stem(name: str) -> str:
    return name[: -len(NOTEBOOK)]


def _rank(name: str, assignment: str) -> int:
    """Of several notebooks in one attempt the one named after the assignment counts."""
    return int(copy_number(_stem(name))[0] == assignment)


def _canvas(archive: Archive, assignment: str) -> Iterator[Attempt | str]:
    for entry in archive.entries:
        match = CANVAS.match(entry.parts[-1])
        if match is None:
            yield f"{entry.name}: not named as Canvas names submissions"
        elif not _is_notebook(entry):
            yield _no_notebook(entry)
        else:
            # numbers of files grow, so a resubmission's is larger than that of what it replaces
            named = _rank(match["original"], assignment)
            yield Attempt(
                entry,
                {"lms_id": match["user"], "name": match["name"]},
                f"{match['name']}_{match['user']}",
                (named, int(match["file"])),
                late=bool(match["late"]),
            )


def _moodle(archive: Archive, assignment: str) -> Iterator[Attempt | str]:
    for entry in archive.entries:
        folders = [m for part in entry.parts[:-1] if (m := MOODLE.match(part))]
        match = folders[0] if folders else MOODLE_FLAT.match(entry.parts[-1])
        if match is None:
            yield f"{entry.name}: not named as Moodle names submissions"
        elif not _is_notebook(entry):
            yield _no_notebook(entry)
        else:
            original = entry.parts[-1] if folders else match["original"]
            number = match["participant"]
            yield Attempt(
                entry,
                {"participant": f"Participant {number}", "name": match["name"]},
                f"{match['name'].replace(' ', '_')}_{number}",
                (_rank(original, assignment), copy_number(_stem(original))[1]),
            )


def _gradescope(archive: Archive, assignment: str) -> Iterator[Attempt | str]:
    """``submission_123/x.ipynb`` and what submission_metadata.yml says of submission_123."""
    about: dict[str, Any] = {}
    for entry in archive.entries:
        if entry.parts[-1] == GRADESCOPE:
            about |= _metadata(entry)
    for entry in archive.entries:
        folder = next((p for p in entry.parts[:-1] if p in about), "")
        if entry.parts[-1] == GRADESCOPE:
            continue
        if not folder:
            yield f"{entry.name}: {GRADESCOPE} does not know it"
        elif not _is_notebook(entry):
            yield _no_notebook(entry)
        else:
            yield from _of_group(entry, folder, about[folder], assignment)


def _metadata(entry: Entry) -> dict[str, Any]:
    try:
        found = yaml.load(entry.read(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CourseError(f"{entry.name}: not readable as YAML: {str(error)[:200]}") from None
    except Unreadable as error:
        raise CourseError(str(error)) from None
    if not isinstance(found, dict):
        raise CourseError(f"{entry.name}: want a mapping of submissions")
    return {str(k): v for k, v in found.items() if isinstance(v, dict)}


def _of_group(entry: Entry, folder: str, row: dict, assignment: str) -> Iterator[Attempt | str]:
    """Each member of a group has handed in the same file."""
    when = row.get(":created_at")
    if isinstance(when, str):
        when = time_of(when.replace(" Z", "+00:00"))
    if isinstance(when, datetime) and when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    people = row.get(":submitters")
    people = [p for p in people if isinstance(p, dict)] if isinstance(people, list) else []
    if not people:
        yield f"{entry.name}: {GRADESCOPE} names nobody for {folder}"
    digits = re.sub(r"\D", "", folder)
    for one in people:
        said = {f: one.get(f":{f}") for f in ("email", "sid", "name")}
        who = {f: str(text) for f, text in said.items() if text and isinstance(text, str | int)}
        if not who:
            yield f"{entry.name}: a submitter without name, number and address"
            continue
        yield Attempt(
            entry,
            who,
            who.get("email") or who.get("sid") or who["name"].replace(" ", "_"),
            (int(digits or 0), _rank(entry.parts[-1], assignment)),
            when if isinstance(when, datetime) else None,
            sure=True,
        )


def _exchange(archive: Archive, assignment: str) -> Iterator[Attempt | str]:
    """``inbound/USER+ASSIGNMENT+TIME+RANDOM/x.ipynb``: anybody may write there under any name.

    So a folder that belongs to another user than it names is not taken unasked, and the time that
    counts is the file system's, not the one in the name.
    """
    for entry in archive.entries:
        folder = next((p for p in reversed(entry.parts[:-1]) if p.count("+") >= 2), "")
        if not folder:
            if "inbound" in entry.parts:
                yield f"{entry.name}: not in a folder as nbgrader names submissions"
            continue
        parts = folder.rsplit("+", 3)
        if len(parts) == 4 and time_of(parts[2]) is None:  # no random part; a + in the user's name
            parts = folder.rsplit("+", 2)
        user, of_assignment, claimed = parts[0], parts[1], time_of(parts[2])
        if of_assignment != assignment or entry.parts[-1] in NBGRADERS:
            continue
        if not _is_notebook(entry):
            yield _no_notebook(entry)
            continue
        owner = entry.owner
        warning = f"says it is {user}'s and belongs to {owner}" if owner and owner != user else ""
        yield Attempt(
            entry,
            {"any": user},
            user,
            (claimed or datetime.min.replace(tzinfo=UTC), _rank(entry.parts[-1], assignment)),
            entry.changed or claimed,
            sure=entry.changed is not None,
            warning=warning,
        )


def _folder(archive: Archive, assignment: str) -> Iterator[Attempt | str]:
    """``NAME.ipynb``, ``NAME/x.ipynb`` or ``NAME/ASSIGNMENT/x.ipynb``.

    ``ada-2.ipynb`` and ``ada (2).ipynb`` are ada's second where there is an ``ada.ipynb`` too.
    """
    around = _wrapper(archive, assignment)
    tops = {e.name: e.parts[around:] for e in archive.entries}
    stems = {_stem(t[-1]) for t in tops.values() if len(t) == 1}
    for entry in archive.entries:
        parts = tops[entry.name]
        if not _is_notebook(entry):
            if parts[-1] not in NBGRADERS:
                yield _no_notebook(entry)
            continue
        rank, number = _rank(parts[-1], assignment), copy_number(_stem(parts[-1]))[1]
        if len(parts) > 2 and parts[1] != assignment:
            yield f"{entry.name}: neither NAME/x.ipynb nor NAME/{assignment}/x.ipynb"
            continue
        name = parts[0]
        if len(parts) == 1:
            name, number = copy_number(_stem(name))
            if number and name not in stems:  # a name that ends like a copy's
                name, number = _stem(parts[0]), 0
        yield Attempt(entry, {"any": name}, name, (rank, number))


def _wrapper(archive: Archive, assignment: str) -> int:
    """1 where all lies in one folder named as the zip or the assignment, as zipping a folder does.

    Any other single folder is a student's.
    """
    heads = {e.parts[0] for e in archive.entries}
    inside = all(len(e.parts) > 1 for e in archive.entries)
    return int(inside and len(heads) == 1 and heads <= {archive.path.stem, assignment})


def time_of(text: str) -> datetime | None:
    """A moment with its zone (UTC where none is said), or None."""
    text = text.strip()
    if text.endswith(" UTC"):
        text = text.removesuffix(" UTC") + "+00:00"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _has(pattern: re.Pattern) -> Callable[[list[Entry]], bool]:
    return lambda entries: any(pattern.match(part) for e in entries for part in e.parts)


LAYOUTS = (
    Layout(
        "gradescope",
        "an export of submissions with submission_metadata.yml",
        lambda entries: any(e.parts[-1] == GRADESCOPE for e in entries),
        _gradescope,
    ),
    Layout(
        "moodle",
        "Full Name_123_assignsubmission_file_/x.ipynb",
        lambda entries: _has(MOODLE)(entries) or _has(MOODLE_FLAT)(entries),
        _moodle,
    ),
    Layout(
        "exchange",
        "nbgrader's inbound/USER+ASSIGNMENT+TIME/",
        lambda entries: any(p.count("+") >= 2 for e in entries for p in e.parts[:-1]),
        _exchange,
    ),
    Layout(
        "canvas",
        "lastfirst_[LATE_]123_456_x.ipynb",
        lambda entries: any(_is_notebook(e) and CANVAS.match(e.parts[-1]) for e in entries),
        _canvas,
    ),
    Layout("folder", "NAME.ipynb or NAME/x.ipynb", lambda entries: True, _folder),
)
