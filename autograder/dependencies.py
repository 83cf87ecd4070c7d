"""What a check's verdict depends on besides the submission, so that a change reruns it alone.

A check depends on the statements of its assignment's files that it reaches by name, on the modules
of others that these use, on data and hints, and on the grader's own judging files. Names are
followed in the syntax tree, local ones too, so rather more is counted than is used: where names
are reached by text (``globals``, ``sys.modules``) the whole folder is, and of a file that is
reached all statements that are no definitions (``TABLE["x"] = ...``). A definition is taken to
change nothing but the name it binds. Comments and layout do not count. Owns: these digests. Must
not know: submissions, results, secrets. Read before: checks.py.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from autograder.checks import Check

CHECKS = "checks"
JUDGES = (
    *("checks", "difference", "hints", "trace", "loans", "lent"),
    *("sandbox", "worker", "forkserver", "child", "wire", "request", "watch"),
)
# what a student reads, and a submission is read by; checks never see it
NO_PART = ("handout.py",)
BY_TEXT = {"globals", "eval", "exec", "__import__", "import_module", "modules"}
Place = tuple[str, int]  # file without its suffix, number of the statement


class File:
    """The statements of one file of an assignment, and which names they bind."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        self.binds: dict[str, list[int]] = {}
        self.always: list[int] = []  # statements that may change what others bind
        for i, node in enumerate(body):
            names = _bound(node)
            if names is None:
                self.always.append(i)
            for name in names or ():
                self.binds.setdefault(name, []).append(i)
        self.text = [ast.dump(node) for node in body]
        self.uses = [_used(node) for node in body]
        self.imports = _imports(tree)


def digests(folder: Path, module: ModuleType, checks: Iterable[Check]) -> dict[str, str]:
    """Check -> the hash of all it depends on; ``module`` is the checks.py of ``folder``, loaded."""
    files = {p.stem: File(p) for p in sorted(folder.glob("*.py")) if p.name not in NO_PART}
    everybody = _of_everybody(folder)
    names = {id(value): name for name, value in vars(module).items() if isinstance(value, Check)}
    found = {}
    for check in checks:
        reached = Reached(files)
        if names.get(id(check)) in files[CHECKS].binds:
            reached.name(CHECKS, names[id(check)])
        else:  # made in some roundabout way
            reached.everything()
        digest = hashlib.sha256(everybody)
        for part in reached.parts():
            digest.update(b"\0" + part)
        found[check.id] = digest.hexdigest()
    return found


class Reached:
    """What is reached from some names: statements of the assignment, modules of others."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self.files = files
        self.statements: set[Place] = set()
        self.foreign: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    def name(self, stem: str, name: str) -> None:
        """Follow a name of a file; one that a file does not bind is Python's own."""
        if (stem, name) in self._seen:
            return
        self._seen.add((stem, name))
        file = self.files[stem]
        for i in file.always:
            self._statement(stem, i)
        for i in file.binds.get(name, ()):
            self._statement(stem, i)
        for module, part in file.imports.get(name, ()):
            self._imported(module, part)

    def everything(self) -> None:
        """All statements of all files."""
        for stem in self.files:
            self._whole(stem)

    def _statement(self, stem: str, i: int) -> None:
        if (stem, i) in self.statements:
            return
        self.statements.add((stem, i))
        file = self.files[stem]
        for name, attribute in file.uses[i]:
            if name in BY_TEXT or attribute in BY_TEXT:
                self.everything()
            modules = [m for m, part in file.imports.get(name, ()) if not part and m in self.files]
            if attribute and modules:  # mistakes.PARTS: that name alone
                for module in modules:
                    self.name(module, attribute)
            else:
                self.name(stem, name)

    def _imported(self, module: str, part: str) -> None:
        if module not in self.files:
            self.foreign.add(f"{module}.{part}" if f"{module}.{part}" in sys.modules else module)
        elif part and part != "*":
            self.name(module, part)
        else:
            self._whole(module)

    def _whole(self, stem: str) -> None:
        for i in range(len(self.files[stem].text)):
            self._statement(stem, i)

    def parts(self) -> Iterator[bytes]:
        """What is reached, in a fixed order."""
        for stem, i in sorted(self.statements):
            yield f"{stem}:{self.files[stem].text[i]}".encode()
        for name in sorted(self.foreign):
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and not name.startswith("numpy"):  # NumPy's version stands for its files
                yield name.encode() + b"\0" + Path(file).read_bytes()


def _bound(node: ast.stmt) -> list[str] | None:
    """Names that a top-level statement binds and nothing else; None where it may do more."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return []  # a docstring
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return None
    if any(isinstance(part, ast.NamedExpr) for part in ast.walk(node)):
        return None
    flat = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
    return [t.id for t in flat] if all(isinstance(t, ast.Name) for t in flat) else None


def _imports(tree: ast.Module) -> dict[str, list[tuple[str, str]]]:
    """Name -> each (module, name in it or "") that it is imported as anywhere in a file."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                found.setdefault(name, []).append((alias.name, ""))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                found.setdefault(name, []).append((node.module or "", alias.name))
    return found


def _used(node: ast.stmt) -> list[tuple[str, str]]:
    """(name, attribute taken of it or "") wherever a name stands in a statement."""
    found, of_attributes = set(), set()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            found.add((part.value.id, part.attr))
            of_attributes.add(id(part.value))
    found |= {
        (part.id, "")
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and id(part) not in of_attributes
    }
    return sorted(found)


def _of_everybody(folder: Path) -> bytes:
    """What every check depends on: versions, the judging files, the assignment's other files."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in JUDGES]
    files += sorted(p for p in folder.rglob("*") if p.is_file() and not _followed(p, folder))
    text = "\0".join([_versions(), *(f"{f.name}\0{f.read_bytes().hex()}" for f in files)])
    return text.encode()


def _followed(path: Path, folder: Path) -> bool:
    """Is it a file whose statements are followed one by one, or no part of a check at all?"""
    own = path.parent == folder and path.suffix == ".py"
    return own or path.suffix == ".pyc" or path.name in NO_PART


def _versions() -> str:
    found = []
    for package in ("minengine", "numpy"):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} of unknown version")
    return ", ".join(found)
