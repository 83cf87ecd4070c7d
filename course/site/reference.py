"""The API pages: what each module offers, from its docstrings; and each module's text to read.

Nothing is imported: signatures and docstrings are taken from the files, Cython's among them. In the
students' build the lines of closed symbols are left out of a module's text. Owns: which modules
have a page, how a docstring becomes Markdown. Must not know: Sphinx. Read before: symbols.py.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.site.closed import closed_by
from course.site.symbols import LANGUAGES, ROOT, source_of, spans

# (title, folder, names): the modules of a room that have pages; none named: all of them.
ROOMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("minengine, the engine", "minengine", ()),
    ("cudasim, CUDA's kernels without a GPU", "cudasim", ()),
    (
        "autograder, for authors of assignments",
        "autograder",
        ("checks", "difference", "hints", "trace", "handout", "catalog", "checker"),
    ),
    ("quizzes, for authors of questions", "quizzes", ("schema", "expression", "units", "paper")),
    ("course, for authors of lessons", "course", ("charts",)),
)
SUFFIXES = (".py", ".pyx", ".pxd")
NO_PAGES = {"__pycache__", "models", "cli"}  # data, and commands, whose --help says it all
# In a docstring, outside of code, these would mean something to Markdown.
SPECIAL = re.compile(r"([\\*_\[\]<>$#{}|~])")


@dataclass(frozen=True)
class Module:
    """A module of ours: its dotted name, its file."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Member:
    """A public function, class or method: its name in the module, its arguments, its docstring."""

    name: str
    kind: str
    arguments: str
    doc: str
    line: int


def modules(folder: str, names: tuple[str, ...]) -> list[Module]:
    """The modules of a room in its own reading order, those that it does not name after them."""
    root = ROOT / folder
    if not root.is_dir():
        return []
    if names:
        return [Module(f"{folder}.{n}", root / f"{n}.py") for n in names]
    found: dict[str, Path] = {}
    for suffix in reversed(SUFFIXES):
        for path in sorted(root.rglob(f"*{suffix}")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not NO_PAGES & set(parts) and parts[-1][:1] != "_":
                found[".".join(parts)] = path
    opening = (root / "__init__.py").read_text(encoding="utf-8").partition('"""\n\n')[0]
    order = [m.removesuffix(".") for m in re.findall(r"\b(\w+)\.(?:pyx|pxd|py)\b", opening)]
    place = {f"{folder}.{name}": i for i, name in reversed(list(enumerate(order)))}
    names_ = sorted(found, key=lambda n: (place.get(n, len(order)), n))
    return [Module(n, found[n]) for n in names_]


def pages(syllabus: Mapping[str, Any], *, student: bool) -> Iterator[tuple[str, str]]:
    """(path in the site's source, text) of every page: an overview, and two for each module."""
    overview = ["# API reference", "", INTRODUCTION]
    for title, folder, names in ROOMS:
        found = modules(folder, names)
        if not found:
            continue
        overview += ["", f"## {title}", ""]
        for module in found:
            overview.append(f"- [`{module.name}`]({module.name}.md): {summary(module)}")
            shown = shown_lines(module, syllabus, student=student)
            yield f"api/{module.name}.md", page(module, shown)
            yield f"source/{module.name}.md", listing(module, shown)
    yield "api/index.md", "\n".join(overview) + "\n"


INTRODUCTION = """\
Made from the docstrings of the files themselves.
Shape letters are the same everywhere; they stand in the [glossary](../glossary.md).
"""


def summary(module: Module) -> str:
    """The first sentence of a module's docstring or opening comment."""
    return markdown(opening(module).split("\n\n")[0].replace("\n", " "))


def opening(module: Module) -> str:
    """The module's docstring; in a .pxd without one, the comment at its top."""
    text = module.text
    if found := re.match(r'\s*(?:#[^\n]*\n)*\s*"""(.*?)"""', text, re.S):
        return inspect.cleandoc(found[1])
    lines = [line[1:].removeprefix(" ") for line in text.splitlines()]
    kept = [line for line, full in zip(lines, text.splitlines(), strict=True) if full[:1] == "#"]
    return "\n".join(kept) or module.name


@functools.cache
def imported(name: str) -> dict[str, str]:
    """Name in a module -> the dotted name of ours that it was imported from."""
    path = source_of(f"{name}.x")[0]
    if path.suffix != ".py":
        return {}
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


def page(module: Module, shown: list[tuple[int, str]]) -> str:
    """What a module offers; `shown` are the lines of its text that there are to link to."""
    place = {number: i for i, (number, _) in enumerate(shown, 1)}
    file = module.path.relative_to(ROOT).as_posix()
    out = ["---", "orphan: true", "---", f"# {module.name}", ""]
    out += [f"[All modules](index.md) · [{file}, to read](../source/{module.name}.md)", ""]
    out += [f"```{{py:module}} {module.name}\n```", "", markdown(opening(module)), ""]
    for member in members(module):
        role = {"class": "py:class", "method": "py:method"}.get(member.kind, "py:function")
        body = markdown(member.doc)
        fence = "`" * max(4, *(len(r) + 1 for r in re.findall("`+", body)), 4)
        if at := place.get(member.line):
            address = f"../source/{module.name}.html#L-{at}"
            body += f'\n\n<a class="to-source" href="{address}">source</a>'
        out += [f"{fence}{{{role}}} {member.name}{member.arguments}", "", body, fence, ""]
    return "\n".join(out)


def members(module: Module) -> list[Member]:
    """The public members of a file, in its order."""
    if module.path.suffix == ".py":
        return list(_python_members(ast.parse(module.text).body, ""))
    return list(_cython_members(module.text))


def _python_members(body: list[ast.stmt], before: str) -> Iterator[Member]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        doc = ast.get_docstring(node) or ""
        if node.name.startswith("_") or (before and not doc):
            continue
        if isinstance(node, ast.ClassDef):
            yield Member(before + node.name, "class", _constructor(node), doc, node.lineno)
            yield from _python_members(node.body, f"{before}{node.name}.")
        else:
            arguments = node.args
            if before and arguments.args and arguments.args[0].arg in ("self", "cls"):
                arguments.args = arguments.args[1:]
            kind = "method" if before else "function"
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            shown = f"({ast.unparse(arguments)}){returns}"
            yield Member(before + node.name, kind, shown, doc, node.lineno)


def _constructor(node: ast.ClassDef) -> str:
    """The arguments of a class: those of __init__, or the fields of a dataclass."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            item.args.args = item.args.args[1:]
            return f"({ast.unparse(item.args)})"
    if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return ""
    fields = [
        ast.unparse(item.target) + (f"={ast.unparse(item.value)}" if item.value else "")
        for item in node.body
        if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item.annotation)
    ]
    return f"({', '.join(fields)})"


def _cython_members(text: str) -> Iterator[Member]:
    """The functions that Python sees, `def` and `cpdef`, with the names of their arguments."""
    for found in re.finditer(
        r"^(?:cp)?def +(?:\w+ +)?(\w+)\((.*?)\)[^()]*?:\n(.*?)(?=^\S|\Z)", text, re.M | re.S
    ):
        name, arguments, body = found.groups()
        if name.startswith("_"):
            continue
        doc = re.match(r'\s*"""(.*?)"""', body, re.S)
        bare = re.sub(r"#[^\n]*", "", arguments)
        bare = re.sub(r"\[[^\]]*\]", "", bare)
        names = [
            a.split("=")[0].split()[-1] + ("=" + a.split("=")[1].strip() if "=" in a else "")
            for a in bare.split(",")
            if a.strip()
        ]
        plain = ", ".join(names)
        line = text.count("\n", 0, found.start()) + 1
        yield Member(name, "function", f"({plain})", inspect.cleandoc(doc[1]) if doc else "", line)


def markdown(doc: str) -> str:
    """A docstring as Markdown: code stays code, indented blocks stay as they are, the rest is text
    in which nothing has a special meaning.
    """
    blocks = re.split(r"\n{2,}", doc.strip("\n"))
    out: list[str] = []
    for block in blocks:
        if all(line.startswith("    ") for line in block.splitlines()) and block.strip():
            if out and out[-1].endswith("\n~~~"):
                out[-1] = out[-1].removesuffix("~~~") + "\n" + inspect.cleandoc(block) + "\n~~~"
            else:
                out.append(f"~~~text\n{_dedented(block)}\n~~~")
        elif any(re.match(r"\S", line) is None and line.strip() for line in block.splitlines()[1:]):
            out += _mixed(block)
        else:
            out.append(_escaped(block))
    return "\n\n".join(out)


def _dedented(block: str) -> str:
    lines = block.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines)


def _mixed(block: str) -> list[str]:
    """A paragraph with indented lines in it: these are drawn or listed, and keep their form."""
    lines = block.splitlines()
    first = next(i for i, line in enumerate(lines) if line[:1].isspace())
    if lines[first].startswith("  ") and not lines[first].strip().startswith(("-", "*")):
        head = [_escaped("\n".join(lines[:first]))] if first else []
        return [*head, "~~~text\n" + _dedented("\n".join(lines[first:])) + "\n~~~"]
    return [_escaped(block)]


def _escaped(block: str) -> str:
    """Text with its code spans kept and everything else that Markdown reads made harmless."""
    pieces = re.split(r"(``.+?``|`[^`]+`)", block, flags=re.S)
    return "".join(
        piece if i % 2 else SPECIAL.sub(r"\\\1", piece).replace("\n    ", "\n")
        for i, piece in enumerate(pieces)
    )


def listing(module: Module, shown: list[tuple[int, str]]) -> str:
    """A module's text as a page."""
    text = "\n".join(line for _, line in shown)
    fence = "`" * max(3, *(len(r) + 1 for r in re.findall("`+", text)), 3)
    file = module.path.relative_to(ROOT).as_posix()
    return (
        f"---\norphan: true\nno-search: true\n---\n# {file}\n\n"
        f"[All modules](../api/index.md) · [What it offers](../api/{module.name}.md)\n\n"
        f"{fence}{{listing}} {LANGUAGES[module.path.suffix]}\n{text}\n{fence}\n"
    )


def shown_lines(
    module: Module, syllabus: Mapping[str, Any], *, student: bool
) -> list[tuple[int, str]]:
    """The lines of a module with their numbers; for students, of a closed symbol one line that
    says so, with number 0.
    """
    lines = list(enumerate(module.text.splitlines(), 1))
    if not student:
        return lines
    starts = {
        first: (last, titles)
        for name, (first, last) in spans(module.path).items()
        if (titles := closed_by(syllabus, f"{module.name}.{name}"))
    }
    kept: list[tuple[int, str]] = []
    hidden_to = 0
    for number, line in lines:
        if number in starts and number > hidden_to:
            hidden_to, titles = starts[number]
            works = " and ".join(titles)
            kept.append((0, f"# lines {number} to {hidden_to}: yours to write ({works})"))
        elif number > hidden_to:
            kept.append((number, line))
    return kept
