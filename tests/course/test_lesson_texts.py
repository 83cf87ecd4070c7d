"""Every lesson has the parts that a lesson has; that it runs is shown by the site's build."""

import re
from pathlib import Path

import pytest
import yaml

from course.site.symbols import find

ROOT = Path(__file__).resolve().parents[2]
LESSONS = {p.stem: p.read_text(encoding="utf-8") for p in (ROOT / "course/lessons").glob("*.md")}
SYLLABUS = yaml.safe_load((ROOT / "course/syllabus.yaml").read_text(encoding="utf-8"))


def prose(text: str) -> str:
    """The text without cells, directives' fences, formulas and tables."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    return "\n".join(t for t in text.split("\n") if not t.startswith(("|", ":::")))


def test_there_is_a_lesson_for_each_of_the_syllabus():
    assert LESSONS.keys() == SYLLABUS["lessons"].keys()
    for id_, text in LESSONS.items():
        assert text.startswith(f"# {SYLLABUS['lessons'][id_]['title']}\n")


@pytest.mark.parametrize("id_", LESSONS)
def test_a_lesson_has_its_parts(id_):
    text = LESSONS[id_]
    for heading in ("Self-check", "Exercises", "What to read", "Where this leads"):
        assert f"\n## {heading}\n" in text
    assert "**Afterwards you can**" in text
    assert text.count(":::{self-check}") >= 3
    assert text.count(":::{predict}") >= 2
    assert text.count(":::{pitfall}") >= 1
    assert text.count(":::{code-of}") >= 1
    assert len(re.findall(r"^drawings\.", text, flags=re.M)) >= 2
    assert re.search(r"\(\.\./(assignments|labs)/", text)


@pytest.mark.parametrize("id_", LESSONS)
def test_code_that_a_lesson_names_is_there(id_):
    for name in re.findall(r"^:::\{code-of\} (\S+)", LESSONS[id_], flags=re.M):
        assert find(name).text


@pytest.mark.parametrize("id_", LESSONS)
def test_a_prediction_and_a_pitfall_are_followed_by_the_cell_that_shows_it(id_):
    for kind in ("predict", "pitfall"):
        for at in re.finditer(rf"^:::\{{{kind}\}}.*?^:::$", LESSONS[id_], flags=re.S | re.M):
            rest = LESSONS[id_][at.end() :]
            cell, heading = rest.find("```{code-cell}"), re.search(r"^## ", rest, flags=re.M)
            assert 0 <= cell < (heading.start() if heading else len(rest)), at[0]


@pytest.mark.parametrize("id_", LESSONS)
def test_prose_has_one_sentence_a_line(id_):
    for line in prose(LESSONS[id_]).split("\n"):
        if line.startswith("#"):
            continue
        plain = re.sub(r"`[^`]*`|\$[^$]*\$|\*[^*]*\*|\([^()]*\)|\"[^\"]*\"", "x", line)
        if re.match(r"- (To watch: )?[A-Z][\w'.]+.*\d{4}|- (The|To|Drepper)", plain):
            continue  # a reference
        assert not re.search(r"[a-z)\]x][.!?] [A-Z]", plain), line
