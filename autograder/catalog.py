"""What a course has: the syllabus, its assignments and labs, for an instructor their solutions.

A course is a folder with ``course/syllabus.yaml``, ``assignments/ID/`` (handout.py, checks.py,
hints.yaml), labs (``labs/ID.py``, a handout that also runs as a script, with checks.py and
hints.yaml in ``labs/ID/``), and perhaps ``solutions/ID/`` (reference.py, alternates/, wrong/,
answers.md). A lab is graded as an assignment is. Owns: finding and loading these, solutions by path
alone. Must not know: submissions, sandboxes, marks.
Read before: handout.py, checks.py, hints.py.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from autograder import checks as checks_module
from autograder import dependencies, packing
from autograder import handout as handout_module
from autograder.checks import Check
from autograder.errors import CourseError
from autograder.handout import Handout
from autograder.hints import Hint
from autograder.hints import load as load_hints

SYLLABUS = Path("course", "syllabus.yaml")
EXPLOITS = Path("tests", "autograder", "exploits")
INSTALLED = "minengine_course"  # the folder of a wheel that holds the course's texts


@dataclass(frozen=True)
class Course:
    """A course folder: ``root`` and what its syllabus says."""

    root: Path
    syllabus: Mapping[str, Any] = field(compare=False)

    @property
    def title(self) -> str:
        return str(self.syllabus.get("title", self.root.name))

    def closed(self) -> list[str]:
        """Symbols whose text students do not get, ``package.module.name``, as the syllabus says."""
        rows = (self.syllabus.get("assignments") or {}).values()
        return sorted({symbol for row in rows for symbol in row.get("closed") or ()})

    def assignments(self) -> list[str]:
        """Ids of the assignments that exist, in the syllabus' order, others after them."""
        there = sorted(p.parent.name for p in (self.root / "assignments").glob("*/handout.py"))
        weeks = self.syllabus.get("weeks") or []
        order = [a for week in weeks for a in week.get("assignments") or []]
        return [a for a in order if a in there] + [a for a in there if a not in order]

    def labs(self) -> list[str]:
        """Ids of the labs that have something to check, in the order of their names."""
        there = (p.parent for p in (self.root / "labs").glob("*/checks.py"))
        return sorted(p.name for p in there if p.with_name(f"{p.name}.py").is_file())

    def graded(self) -> list[str]:
        """Ids of all that can be handed in: assignments, then labs."""
        return [*self.assignments(), *self.labs()]

    def resolve(self, name: str) -> str:
        """The id for what a person typed: 01_transformer_layer, 1, 01 or transformer_layer; of a
        lab 2.1_attention, 2.1 or attention.
        """
        ids = self.graded()
        for same in (
            lambda i: i == name,
            lambda i: name.isdecimal() and (m := re.match(r"(\d+)_", i)) and int(m[1]) == int(name),
            lambda i: "." in name and i.startswith(f"{name}_"),
            lambda i: re.sub(r"^[\d.]+_", "", i) == name,
        ):
            if found := [i for i in ids if same(i)]:
                return found[0]
        raise CourseError(
            f"no assignment {name!r} in {self.root}: there is {', '.join(ids) or 'none'}"
        )

    def assignment(self, name: str) -> Assignment:
        """Load an assignment by id or by what a person typed."""
        return Assignment.load(self.root, self.resolve(name))


def find_course(start: Path | str | None = None) -> Course:
    """The course at ``start``, or around the working folder, or that this package came with.

    Looks at ``start`` itself when given, the parents of the working folder, the folder beside this
    package, and what the wheel installed. CourseError says where it looked.
    """
    here = Path(__file__).resolve().parent.parent
    if start is not None:
        places = [Path(start).resolve()]
    else:
        cwd = Path.cwd()
        places = [cwd, *cwd.parents, here, here / INSTALLED]
    for place in places:
        if (place / SYLLABUS).is_file():
            try:
                rows = yaml.safe_load((place / SYLLABUS).read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise CourseError(f"{place / SYLLABUS}: not readable as YAML: {error}") from None
            if not isinstance(rows, dict):
                raise CourseError(f"{place / SYLLABUS}: want a mapping")
            return Course(place, rows)
    looked = start or f"{Path.cwd()} and its parents, {here}"
    raise CourseError(f"no {SYLLABUS.as_posix()} in {looked}; name the course with --course")


def places(root: Path, id_: str) -> tuple[Path, Path]:
    """(the handout, the folder of checks, hints and data) of an assignment or a lab."""
    lab = root / "labs" / f"{id_}.py"
    if lab.is_file():
        return lab, root / "labs" / id_
    folder = root / "assignments" / id_
    return folder / "handout.py", folder


@dataclass(frozen=True)
class Assignment:
    """One assignment, loaded: its handout with points, its checks in order, its hint ladder."""

    id: str
    root: Path
    handout: Handout
    checks: tuple[Check, ...]
    hints: Mapping[str, Hint]
    module: ModuleType = field(repr=False, compare=False)  # checks.py, as it was run

    @classmethod
    def load(cls, root: Path, id_: str) -> Assignment:
        """CourseError where the handout, the checks and the hints do not fit each other."""
        text, folder = places(root, id_)
        module = _import(folder / "checks.py")
        found = checks_module.of_module(vars(module))
        points: dict[str, float] = {}
        for check in found:
            points[check.hole] = points.get(check.hole, 0) + check.points
        handout = handout_module.parse(text, points)
        bare = [h for h in handout.holes if h not in points]
        if bare:
            raise CourseError(f"{folder / 'checks.py'}: no check for {', '.join(bare)}")
        order = {hole: i for i, hole in enumerate(handout.holes)}
        found.sort(key=lambda c: order[c.hole])  # stable: the text's order within a hole
        hints = load_hints(folder / "hints.yaml")
        return cls(id_, root, handout, tuple(found), hints, module)

    @property
    def max_points(self) -> float:
        """What the checks give and what a human gives."""
        return sum(c.points for c in self.checks) + sum(self.handout.by_hand.values())

    @cached_property
    def digests(self) -> dict[str, str]:
        """Check -> the hash of everything but the submission that its result depends on."""
        return dependencies.digests(self.parts, self.module, self.checks)

    @property
    def parts(self) -> Path:
        """The folder of its checks, hints and data."""
        return places(self.root, self.id)[1]

    @property
    def digest(self) -> str:
        """Of all that is graded by: two machines with the same one grade alike."""
        handout = self.handout.path.read_bytes()
        text = handout + "\0".join(self.digests.values()).encode()
        return hashlib.sha256(text).hexdigest()

    @cached_property
    def reference(self) -> Solution:
        return self._solution(self.folder / "reference.py", "reference")

    @cached_property
    def answers(self) -> dict[str, str]:
        """The instructor's answers in words, of ``answers.md``: a heading of the name each."""
        path, found = self.folder / "answers.md", {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for part in re.split(r"^## ", text, flags=re.M)[1:]:
            name, _, words = part.partition("\n")
            found[name.strip()] = words.strip()
        missing = sorted(set(self.handout.answers) ^ set(found))
        if missing:
            raise CourseError(f"{path}: want an answer for each of the handout: {missing}")
        return found

    @property
    def folder(self) -> Path:
        """Where this assignment's solutions are; students have no such folder."""
        return self.root / "solutions" / self.id

    def solutions(self) -> list[Solution]:
        """Reference, alternates, wrong files, in this order; CourseError without a reference."""
        found = [self.reference]
        for kind, part in (("alternate", "alternates"), ("wrong", "wrong")):
            paths = sorted((self.folder / part).glob("*.py"))
            found += [self._solution(p, kind) for p in paths]
        return found

    def exploits(self) -> list[Solution]:
        """Hostile files of the course's own tests that attack holes of this assignment.

        Those of the folder named as it attack all holes that they define, the others the first.
        Each is taken whole: it may not even compile. ``HONEST`` in it is what its work is worth.
        """
        folder, found = self.root / EXPLOITS, []
        for path in [*sorted(folder.glob("*.py")), *sorted(folder.glob(f"{self.id}/*.py"))]:
            text = path.read_text(encoding="utf-8")
            names = [h for h in self.handout.holes if re.search(rf"^(def|class) {h}\b", text, re.M)]
            worth = re.search(r"^HONEST = ([0-9.]+)", text, re.M)
            if names:
                rest = names[1:] if path.parent != folder else []
                own = {names[0]: text} | dict.fromkeys(rest, "")
                honest = float(worth[1]) if worth else 0.0
                found.append(Solution(path.stem, "exploit", "", {}, own, own, honest))
        return found

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name from the course's root, path) of what checking needs, never a solution."""
        yield SYLLABUS.as_posix(), self.root / SYLLABUS
        yield from packing.below(self.root, self.parts)
        text = self.handout.path
        if text.parent != self.parts:
            yield text.relative_to(self.root).as_posix(), text

    def stub(self) -> Solution:
        """What a student gets, as a solution that should get nothing."""
        return Solution(
            "stub", "stub", "nothing done yet", {}, self.handout.stubs, self.handout.stubs
        )

    def _solution(self, path: Path, kind: str) -> Solution:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            raise CourseError(
                f"{path}: not there; solutions come with the repository alone"
            ) from None
        idea, fails, own = split(path, text, self.handout.holes)
        sources = own if kind == "reference" else {**self.reference.sources, **own}
        missing = [h for h in self.handout.holes if h not in sources]
        if missing:
            raise CourseError(f"{path}: defines no {', '.join(missing)}")
        ordered = {h: sources[h] for h in self.handout.holes}
        return Solution(path.stem, kind, idea, fails, own, ordered)


@dataclass(frozen=True)
class Solution:
    """One filling of the holes: ``kind`` is reference, alternate, wrong, stub or exploit.

    ``fails`` maps the checks it must fail to the tag each gets; ``own`` are the sources the file
    itself defines, ``sources`` one for every hole in the handout's order.
    """

    name: str
    kind: str
    idea: str
    fails: Mapping[str, str]
    own: Mapping[str, str]
    sources: Mapping[str, str]
    honest: float = 0.0  # points that an exploit's own work is worth


def split(
    path: Path, text: str, holes: tuple[str, ...]
) -> tuple[str, dict[str, str], dict[str, str]]:
    """(docstring, FAILS, source per hole) of a solution file, read and never run.

    What stands before a hole's function or class and after the hole before it belongs to that hole,
    what stands after the last to the last.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise CourseError(f"{path}:{error.lineno}: {error.msg}") from None
    lines, fails, ends = text.splitlines(), {}, []
    for i, node in enumerate(tree.body):
        is_doc = i == 0 and ast.get_docstring(tree) is not None
        names = [getattr(t, "id", "") for t in getattr(node, "targets", [])]
        if names == ["FAILS"]:
            try:
                fails = ast.literal_eval(node.value)
            except ValueError:
                raise CourseError(f"{path}:{node.lineno}: FAILS is no literal") from None
        if is_doc or names == ["FAILS"]:
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in holes:
            ends.append((node.name, node.end_lineno))
    if not ends:
        raise CourseError(f"{path}: defines none of the holes {', '.join(holes)}")
    sources: dict[str, str] = {}
    start = 0
    for n, (hole, end) in enumerate(ends):
        stop = len(lines) if n == len(ends) - 1 else end
        if hole in sources:
            raise CourseError(f"{path}: {hole} is defined twice")
        sources[hole] = "\n".join(lines[start:stop]).strip("\n") + "\n"
        start = end
    return (ast.get_docstring(tree) or "").strip(), dict(fails), sources


def _import(path: Path) -> ModuleType:
    """Run a checks.py under a name of its own; it may import its neighbours and the engine."""
    name = f"_checks_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    if not path.is_file():
        raise CourseError(f"{path}: not there")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before = set(sys.modules)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except CourseError as error:
        raise CourseError(f"{path}: {error}") from None
    except Exception as error:
        raise CourseError(f"{path}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
        for new in set(sys.modules) - before:  # another assignment may have a file of the same name
            if Path(getattr(sys.modules[new], "__file__", None) or "/").parent == path.parent:
                del sys.modules[new]
    return module
