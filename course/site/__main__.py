"""Build the course's site: stage the pages, run Sphinx over them, warnings are errors.

    python -m course.site                 the instructors' site, build/site/instructors/html
    python -m course.site --student       the students': closed code and worked solutions left out
    python -m course.site --claims        every number that is shown, and what computes it
    python -m course.site --notebooks     the lessons as notebooks, instructors/lessons.zip there

Owns: the folders of a build, Sphinx's run. Must not know: what is on a page.
Read before: sources.py, conf.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from course.site import notebooks, self_checks, sources
from course.site.lessons import LessonError
from course.site.symbols import ROOT

HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "site"
OF_SPHINX = {"genindex", "py-modindex", "search"}  # pages that it adds


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m course.site", description=__doc__)
    parser.add_argument("--student", action="store_true", help="leave out what is closed")
    parser.add_argument("--fresh", action="store_true", help="build every page again")
    parser.add_argument("--claims", action="store_true", help="print every number and its code")
    parser.add_argument("--notebooks", action="store_true", help="write the lessons' notebooks")
    parser.add_argument("--out", type=Path, default=BUILD, help="folder of the builds")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    os.environ |= surroundings(options.out)
    try:
        if options.claims:
            lessons = sources.executed(sources.cache_folder(options.out), student=False)
            for row in sources.all_claims(lessons):
                print(row.where, row.value, row.code, sep="\t")
            return 0
        if options.notebooks:
            return write_notebooks(options.out, student=options.student)
        pages, folder = build(options.out, student=options.student, fresh=options.fresh)
    except LessonError as error:
        print(f"site: {error}", file=sys.stderr)
        return 1
    if not pages:
        print("site: not built; each warning above is an error", file=sys.stderr)
        return 1
    print(f"{pages} pages in {time.monotonic() - start:.0f} s: {folder / 'index.html'}")
    return 0


def write_notebooks(out: Path, *, student: bool) -> int:
    """The zip of the lessons' notebooks, and what is in it."""
    path = out / ("students" if student else "instructors") / "lessons.zip"
    cache = sources.cache_folder(out)
    names = notebooks.write_zip(path, sources.syllabus(), cache, student=student)
    print(f"{path}: {', '.join(names)}")
    return 0


def surroundings(out: Path) -> dict[str, str]:
    """What kernels of lessons find: the course here, this Python, nothing of the user's own."""
    return {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_RUNTIME_DIR": str(out / "jupyter"),
        "IPYTHONDIR": str(out / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def build(out: Path, *, student: bool = False, fresh: bool = False) -> tuple[int, Path]:
    """(number of pages, folder of HTML); no pages where Sphinx had a warning or an error."""
    base = out / ("students" if student else "instructors")
    syllabus = sources.syllabus()
    cache = sources.cache_folder(out)
    lessons = sources.executed(cache, student=student)
    stage_all(base / "source", sources.site_map(syllabus, lessons, student=student))
    stage_assets(base / "assets")
    settings = {
        "course_student": student,
        "course_syllabus": syllabus,
        "html_title": syllabus["title"],
        "html_static_path": [str(HERE / "static"), str(base / "assets")],
        "nb_execution_cache_path": str(cache),
    }
    there = run_sphinx(base, settings, fresh=fresh)
    remove_stale(base / "html", there)
    return len(there), base / "html"


def run_sphinx(base: Path, settings: Mapping[str, Any], *, fresh: bool = False) -> set[str]:
    """Make base/html of base/source; the names of the pages, none where there was a warning."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    trees = base / "doctrees"
    with patch_docutils(HERE), docutils_namespace():
        app = Sphinx(
            srcdir=base / "source",
            confdir=HERE,
            outdir=base / "html",
            doctreedir=trees,
            buildername="html",
            confoverrides=dict(settings),
            status=None,
            warning=sys.stderr,
            freshenv=fresh,
            warningiserror=True,
        )
        app.build(force_all=fresh)
    if app.statuscode:  # a page that Sphinx takes for done would not be complained about again
        shutil.rmtree(trees)
        return set()
    return set(app.env.found_docs)


def remove_stale(html: Path, there: set[str]) -> None:
    """Remove pages of former builds whose source is gone."""
    for path in html.rglob("*.html") if there else ():
        page = path.relative_to(html).with_suffix("").as_posix()
        if page not in there and page not in OF_SPHINX:
            path.unlink()


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
