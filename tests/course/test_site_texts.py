"""What students' pages leave out, what a directive refuses, and that links have a page."""

from __future__ import annotations

import re

import pytest

from autograder.catalog import Course
from course.site import assignments, howto, interviews, reference, sources
from course.site.__main__ import run_sphinx
from course.site.directives import DIRECTIVES
from course.site.lessons import links
from course.site.symbols import find

pytestmark = pytest.mark.filterwarnings("ignore:'myst_parser")  # its own use of Sphinx
CLOSED = "minengine.oracle.rms_norm"
SYLLABUS = {"assignments": {"a": {"title": "Transformer layer", "closed": [CLOSED]}}}


@pytest.fixture(scope="module")
def student_pages():
    return sources.site_map(sources.syllabus(), [], student=True)


def made(tmp_path, text: str, *, student: bool = False, syllabus=SYLLABUS) -> str:
    """The page that this text becomes, or nothing."""
    (tmp_path / "source").mkdir(exist_ok=True)
    (tmp_path / "source" / "index.md").write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    settings = {"course_student": student, "course_syllabus": syllabus, "html_title": "x"}
    there = run_sphinx(tmp_path, settings, fresh=True)
    return (tmp_path / "html" / "index.html").read_text(encoding="utf-8") if there else ""


def body(name: str) -> list[str]:
    """The lines of a symbol that are its own: no blank, comment or short one."""
    lines = [line.strip() for line in find(name).text.splitlines()[1:]]
    return [line for line in lines if len(line) > 24 and not line.startswith(("#", '"', "`"))]


def test_code_by_name_is_the_files_text(tmp_path):
    text = made(tmp_path, f":::{{code-of}} {CLOSED}\n:caption: The norm\n:::")
    assert "The norm" in text
    assert "minengine/oracle.py, lines" in text
    assert re.sub(r"<[^>]+>", "", text).count("keepdims=True) + eps) * f64(weight)") == 1


def test_closed_code_is_left_out_for_students_and_says_why(tmp_path):
    text = made(tmp_path, f":::{{code-of}} {CLOSED}\n:::", student=True)
    assert "keepdims" not in text
    assert "Transformer layer" in text
    assert "when your instructor publishes" in text
    published = {"assignments": {"a": {**SYLLABUS["assignments"]["a"], "published": True}}}
    assert "keepdims" in made(
        tmp_path, f":::{{code-of}} {CLOSED}\n:::", student=True, syllabus=published
    )


def test_a_part_of_a_symbol_is_shown_with_its_own_lines(tmp_path):
    option = ":part: x = f64(x) .. return"
    text = made(tmp_path, f":::{{code-of}} {CLOSED}\n{option}\n:::")
    assert "keepdims" in text
    assert "mean is over D" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":::{code-of} minengine.oracle.rms_nrom\n:::", "has no rms_nrom"),
        (f":::{{code-of}} {CLOSED}\n:part: nowhere .. return\n:::", "no line contains"),
        (":::{self-check}\nA question?\n:::", "a line of ---, and an answer"),
        ("See [this](nowhere.md).", "nowhere.md"),
    ],
)
def test_what_cannot_be_shown_fails_the_build(tmp_path, capsys, text, said):
    assert made(tmp_path, text) == ""
    assert said in capsys.readouterr().err


def test_an_answer_unfolds_without_a_script(tmp_path):
    text = made(tmp_path, ":::{self-check}\nWhy?\n---\nBecause of *this*.\n:::")
    answer = re.search(r"<details><summary>Answer</summary>(.*?)</details>", text, re.S)[1]
    assert "<em>this</em>" in answer
    assert "Why?" not in answer


def test_boxes_have_their_titles(tmp_path):
    text = made(tmp_path, ":::{predict}\nWhat?\n:::\n\n:::{pitfall}\nThat.\n:::")
    assert "Predict, then run" in text
    assert "Pitfall" in text
    assert set(DIRECTIVES) >= {"code-of", "predict", "pitfall", "self-check"}


def test_students_pages_have_no_line_of_a_closed_symbol(student_pages):
    closed = {
        name
        for row in sources.syllabus()["assignments"].values()
        if not row.get("published")
        for name in row["closed"]
        if name.startswith("minengine.")
    }
    listings = {k: v for k, v in student_pages.items() if k.startswith("source/")}
    assert len(closed) > 30
    for name in closed:
        module = name.rsplit(".", 1)[0]
        text = listings[f"source/{module}.md"]
        lines = set(map(str.strip, text.splitlines()))
        alone = [line for line in body(name) if count(find(name), line) == 1]
        assert not [line for line in alone if line in lines], name
        assert "yours to write" in text


def test_the_page_of_the_ladder_has_each_kernel_once_and_students_get_it_later():
    course = Course(sources.ROOT, sources.syllabus())
    page, _, staged = list(assignments.programs(course, student=False))[-1]
    assert page == "examples/cuda.md"
    for path in (sources.ROOT / "course" / "examples" / "cuda").glob("*.cu"):
        assert staged.text.count(f"\n`{path.name}`\n") == 1
        assert path.read_text(encoding="utf-8").rstrip() in staged.text
    assert "<!--" not in staged.text
    assert len(staged.claims) > 20
    assert not list(assignments.programs(course, student=True))


def count(symbol, line: str) -> int:
    """How often a line stands in the symbol's whole file."""
    path = sources.ROOT / symbol.path
    return sum(t.strip() == line for t in path.read_text(encoding="utf-8").splitlines())


def test_students_pages_have_no_guide_of_instructors_and_no_fix(student_pages):
    assert not [n for n in student_pages if n.startswith(("instructors/", "examples/"))]
    fixes = [q.fix for q in interviews.interview.load().values() if q.fix]
    text = student_pages["interview/debugging.md"]
    assert len(fixes) == 5
    assert "on-demand} The fix" not in text
    assert not [fix for fix in fixes if fix.strip() in text]


def test_every_page_that_students_pages_link_to_is_theirs(student_pages):
    broken = []
    for name, text in student_pages.items():
        if name.startswith(("source/", "labs/")) or not name.endswith(".md"):
            continue
        folder = name.rpartition("/")[0]
        bare = re.sub(r"^(```+|~~~+).*?^\1$", "", text, flags=re.S | re.M)
        for link in re.findall(r"(?<!`)\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", bare):
            target = re.sub(r"[^/]+/\.\./", "", f"{folder}/{link}" if folder else link)
            if target not in student_pages and not target.startswith("labs/"):
                broken.append((name, link))
    assert broken == []


def test_links_between_files_become_links_between_pages():
    text = "[a](../../assignments/02_kv_cache/handout.py) [b](2.2.md#x) [c](https://x.org/a.md)"
    wanted = "[a](../assignments/02_kv_cache.md) [b](../lessons/2.2.md#x) [c](https://x.org/a.md)"
    assert links(text, "course/lessons/2.1.md") == wanted
    assert links("[d](course/howto/lesson.md)", "CONTRIBUTING.md") == "[d](howto/lesson.md)"


def test_every_row_of_the_one_obvious_place_has_a_section():
    rows, text = howto.rows(), howto.page()
    assert len(rows) > 25
    assert all(f"## {what[0].upper()}{what[1:]}" in text for what, *_ in rows)
    assert set(howto.EXAMPLES) <= {what for what, *_ in rows}
    assert set(howto.examples()) == set(howto.EXAMPLES.values())


def test_a_docstring_keeps_its_code_and_nothing_else_is_markup():
    doc = "``a * b`` over *rows*, `x[t, i]` and <tag> $x$.\n\n    y = 1 * 2\n\nEnd_of_it."
    assert reference.markdown(doc) == (
        "``a * b`` over \\*rows\\*, `x[t, i]` and \\<tag\\> \\$x\\$.\n\n"
        "~~~text\ny = 1 * 2\n~~~\n\nEnd\\_of\\_it."
    )


@pytest.mark.parametrize("name", ["minengine.ops", "minengine.engine", "autograder.checks"])
def test_an_api_page_has_every_public_function(name):
    folder = name.partition(".")[0]
    module = next(m for m in reference.modules(folder, ()) if m.name == name)
    text = reference.page(module, list(enumerate(module.text.splitlines(), 1)))
    public = re.findall(r"^(?:def|class) ([a-zA-Z]\w*)", module.text, re.M)
    assert public
    assert not [p for p in public if not re.search(rf"\{{py:\w+\}} {p}\b", text)]
