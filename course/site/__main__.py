"""Build the course's site: stage the pages, run Sphinx over them, warnings are errors.

    python -m course.site                 the instructors' site, build/site/instructors/html
    python -m course.site --student       the students': closed code and worked solutions left out

Owns: the folders of a build, the cache of executed lessons. Must not know: what is on a page.
Read before: lessons.py, conf.py.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from autograder.catalog import Course
from course.site import assignments, execution, howto, navigation, reference, self_checks
from course.site.lessons import LessonError, Staged, stage
from course.site.navigation import Entry
from course.site.symbols import ROOT

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "site"
# What a lesson's output depends on besides its own text.
RUNS = ("minengine", "quizzes", "course", "cudasim")
# What the side bar lists after the weeks; a page that this build does not have is left out.
SECTIONS = (
    ("Practice", [("interview/index", "Interview questions")]),
    (
        "Guides",
        [
            ("students/guide", "For students"),
            ("instructors/guide", "For instructors"),
            ("instructors/day", "An instructor's day"),
            ("instructors/scale", "Large classes"),
            ("howto/index", "How to add ..."),
            ("inside", "Inside the project"),
        ],
    ),
    (
        "Reference",
        [
            ("api/index", "API reference"),
            ("glossary", "Glossary"),
            ("instructors/coverage", "What the course covers"),
            ("instructors/claims", "Where each number comes from"),
        ],
    ),
)
RUN_SUFFIXES = {".py", ".pyx", ".pxd", ".h", ".gguf", ".yaml"}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m course.site", description=__doc__)
    parser.add_argument("--student", action="store_true", help="leave out what is closed")
    parser.add_argument("--fresh", action="store_true", help="build every page again")
    parser.add_argument("--out", type=Path, default=BUILD, help="folder of the builds")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        pages, folder = build(options.out, student=options.student, fresh=options.fresh)
    except LessonError as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    if not pages:
        print("site: not built; each warning above is an error", file=sys.stderr)
        return 1
    print(f"{pages} pages in {time.monotonic() - start:.0f} s: {folder / 'index.html'}")
    return 0


def staged_lessons(*, student: bool = False) -> Iterator[tuple[str, str, Staged]]:
    """(page, file, text made ready) of all that may have cells: lessons, guides, examples."""
    for folder in ("lessons", "howto", "students", *(() if student else ("instructors",))):
        for path in sorted((ROOT / "course" / folder).glob("*.md")):
            name = path.relative_to(ROOT).as_posix()
            yield f"{folder}/{path.name}", name, stage(path.read_text(encoding="utf-8"), name)


def build(out: Path, *, student: bool = False, fresh: bool = False) -> tuple[int, Path]:
    """(number of pages, folder of HTML); no pages where Sphinx had a warning or an error."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    base = out / ("students" if student else "instructors")
    source, html, trees = base / "source", base / "html", base / "doctrees"
    syllabus = yaml.safe_load((ROOT / "course" / "syllabus.yaml").read_text(encoding="utf-8"))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    executed = cache_folder(out)
    for _, name, staged in staged_lessons(student=student):
        execution.run(staged, name, executed)
    stage_all(source, site_map(syllabus, student=student))
    stage_assets(base / "assets")
    settings = {
        "course_student": student,
        "course_syllabus": syllabus,
        "html_title": syllabus["title"],
        "html_static_path": [str(HERE / "static"), str(base / "assets")],
        "nb_execution_cache_path": str(executed),
    }
    with patch_docutils(HERE), docutils_namespace():
        app = Sphinx(
            srcdir=source,
            confdir=HERE,
            outdir=html,
            doctreedir=trees,
            buildername="html",
            confoverrides=settings,
            status=None,
            warning=sys.stderr,
            freshenv=fresh,
            warningiserror=True,
        )
        app.build(force_all=fresh)
    if app.statuscode:  # a page that Sphinx takes for done would not be complained about again
        shutil.rmtree(trees)
        return 0, html
    return len(app.env.found_docs), html


def stage_all(source: Path, texts: Mapping[str, str]) -> None:
    """Write the pages' sources; a page whose text is as before keeps its time, and what is no
    longer a page goes.
    """
    for name, text in texts.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in source.rglob("*"):
        if path.is_file() and path.relative_to(source).as_posix() not in texts:
            path.unlink()


def pages(syllabus: Mapping[str, Any], *, student: bool) -> Iterator[tuple[str, str]]:
    """(path in the source folder, text) of each page but the first."""
    for page, _, staged in staged_lessons(student=student):
        yield page, staged.text
    yield from assignments.pages(Course(ROOT, syllabus))
    for id_ in self_checks.ids():
        yield f"quizzes/{id_}.md", self_checks.page(syllabus, id_)
        yield f"quizzes/{id_}.html", self_checks.form(id_)
    yield "howto/index.md", howto.page()
    yield "glossary.md", (ROOT / "course" / "glossary.md").read_text(encoding="utf-8")
    yield "inside.md", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    yield from reference.pages(syllabus, student=student)


def site_map(syllabus: Mapping[str, Any], *, student: bool) -> dict[str, str]:
    """Path -> text of every page, the first one with the side bar's lists among them."""
    texts = dict(pages(syllabus, student=student))
    there = {name.removesuffix(".md") for name in texts if name.endswith(".md")}
    sections = [
        (caption, [Entry(page, title) for page, title in rows if page in there])
        for caption, rows in SECTIONS
    ]
    texts["index.md"] = navigation.front(syllabus, there, sections)
    return texts


def cache_folder(out: Path) -> Path:
    """Where executed lessons are kept: another folder when the code that they run has changed."""
    digest = hashlib.sha256()
    for room in RUNS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in RUN_SUFFIXES and "site" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    folder = out / "executed" / digest.hexdigest()[:16]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    return folder


def stage_assets(folder: Path) -> None:
    """What pages load besides their theme: MathJax with its fonts, the script of the quizzes."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in self_checks.assets():
        shutil.copy(path, folder)
    spec = importlib.util.find_spec("sphinx-mathjax-offline")  # a package with hyphens in its name
    if spec is None or spec.origin is None:
        raise LessonError("MathJax is missing: pip install 'minengine[site]'")
    shipped, target = Path(spec.origin).parent / "static" / "mathjax", folder / "mathjax"
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    shutil.copytree(shipped / fonts, target / fonts, dirs_exist_ok=True)
    shutil.copy(shipped / "tex-chtml.js", target)


if __name__ == "__main__":
    raise SystemExit(main())
