"""Quizzes in a page: the data, and ``quiz.js`` in a real browser judging as Python judges.

Chromium is one of the packages that README.md lists, so this never skips.
"""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from quizzes import markup
from quizzes.marking import judge, read
from quizzes.paper import draw, draw_all
from quizzes.schema import Plan, load_banks
from quizzes.verify import replies
from quizzes.web import assets, fragment, paper_page_data
from quizzes.web.pages import as_data
from tests.autograder.formgrader import browser

from .conftest import small_bank

STRANGE = [
    *("abc", "1,5", "1,024", "1_000", "1e3", ".5", "5.", "-0", "3/4", "1/0", "1 : 4", "50 %"),
    *(
        "2x",
        "512 KiB",
        "0.5 mib",
        "3 GFLOP",
        "7B",
        "12 tokens",
        "90 deg",
        "25 ms",
        "25 µs",
        "1e999",
    ),
    *("\u2212 3", "--3", "1.2.3", "12 parsecs", "1e", "0x10", "9" * 90, "[1, 2]", "True False"),
]
PLAN = Plan("9.1", "Small", 5, 0.8, True)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    bank = small_bank(tmp_path_factory.mktemp("small"))
    return {"banks": {"9.1": bank}, "plans": {"9.1": PLAN}}


def page_of(body: str) -> str:
    js, css = (path.read_text(encoding="utf-8") for path in assets())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Quiz</title>'
        f"<style>{css}</style><body>{body}<script>{js}</script>"
    )


def judged_here(papers) -> list[tuple[int, int, object, bool, str]]:
    """(paper, question, reply for the page, is it right, the reason of a known mistake)."""
    rows = []
    for n, paper in enumerate(papers):
        for i, q in enumerate(paper.questions):
            right, wrong = replies(q)
            for reply in [*right, *wrong, *(STRANGE if q.kind in ("number", "code") else [])]:
                verdict = judge(q, reply)
                known = next((m.why for m in q.mistakes if m.why == verdict.reason), "")
                unread = "cannot be read" in verdict.reason
                given = reply if q.kind in ("number", "code") or unread else list(read(q, reply))
                rows.append((n, i, given, verdict.right, known and markup.html(known)))
    return rows


@pytest.fixture(scope="module")
def seen(small, tmp_path_factory):
    """What happened in the browser; one whose tab crashed is started once more."""
    from playwright.sync_api import Error

    for attempt in (1, 2):
        try:
            return walk(small, tmp_path_factory.mktemp("page") / "quiz.html")
        except Error:
            if attempt == 2:
                raise
    raise AssertionError


def walk(small, path) -> SimpleNamespace:
    banks = load_banks()
    papers = [draw_all(banks[quiz], "ada", 1) for quiz in ("2.1", "2.3", "2.5")]  # all units
    rows = judged_here(papers)
    body = fragment("9.1", (1, 2), **small)
    path.write_text(page_of(body), encoding="utf-8")
    found = SimpleNamespace(requests=[], complaints=[], rows=rows)
    with browser() as open_page:
        page = open_page()
        page.on("request", lambda r: found.requests.append(r.url))
        page.on("console", lambda m: found.complaints.append(m.text))
        page.on("pageerror", lambda e: found.complaints.append(str(e)))
        page.goto(path.as_uri())
        found.judged = page.evaluate(
            """([papers, rows]) => rows.map(([n, i, reply]) => {
                 const verdict = Quiz.judge(papers[n].questions[i], reply, papers[n].units);
                 return [verdict.right, verdict.reasons.join("")];
               })""",
            [[as_data(p) for p in papers], [row[:3] for row in rows]],
        )
        answer_all(page, draw("9.1", "", 1, **small), found)
        page.get_by_role("button", name="Another paper").click()
        found.next_open = page.locator(".quiz-score").inner_text()
        found.focus = page.evaluate("document.activeElement.textContent")
    return found


def answer_all(page, paper, found) -> None:
    """Answer by labels and keys alone: all right but the choice; the empty form is told."""
    form = {q.id: page.locator(f'form[data-id="{q.id}"]') for q in paper.questions}
    by_id = {q.id: q for q in paper.questions}
    page.get_by_role("button", name="Check").first.press("Enter")
    found.empty = page.locator(".quiz-verdict").first.inner_text()
    line = form["heads"].get_by_label("Your answer")
    line.fill(str(by_id["heads"].answer))
    line.press("Enter")
    wrong = next(o for o in by_id["shape"].options if not o.right)
    form["shape"].get_by_label(f"{wrong.letter}) ").press("Space")
    form["shape"].get_by_role("button", name="Check").press("Enter")
    for letter in by_id["sharing"].answer:
        form["sharing"].get_by_label(f"{letter}) ").press("Space")
    form["sharing"].get_by_role("button", name="Check").press("Enter")
    for place, letter in enumerate(by_id["steps"].answer):
        items = form["steps"].locator("li")
        while items.evaluate_all("x => x.map(i => i.dataset.letter)").index(letter) > place:
            form["steps"].get_by_role("button", name=f"Move {letter} up").press("Enter")
    form["steps"].get_by_role("button", name="Check").press("Enter")
    form["printed"].get_by_label("Your answer").fill(by_id["printed"].answer.replace(" ", ""))
    found.before_last = page.locator(".quiz-score").inner_text()
    form["printed"].get_by_role("button", name="Check").press("Enter")
    found.score = page.locator(".quiz-score").inner_text()
    found.verdicts = {k: f.locator(".quiz-verdict").inner_text() for k, f in form.items()}
    found.wrong, found.paper = wrong, paper
    found.live = page.locator("[aria-live]").count()


def test_the_page_judges_every_reply_as_python_does(seen):
    assert len(seen.rows) > 1000
    for (n, i, reply, right, known), (got, reason) in zip(seen.rows, seen.judged, strict=True):
        assert got == right, (n, i, reply)
        if known:
            assert reason == known, (n, i, reply)
        assert right or reason, (n, i, reply)


def test_a_paper_is_answered_by_labels_and_keys_and_scored(seen):
    assert "4 right so far" not in seen.before_last
    assert "3 right so far, 1 of 5 open" in seen.before_last
    assert seen.score == "4 of 5 right: passed (4 pass)."
    assert all("Right" in text for name, text in seen.verdicts.items() if name != "shape")
    right = next(q for q in seen.paper.questions if q.id == "shape")
    assert "Wrong" in seen.verdicts["shape"]
    assert markup.plain(seen.wrong.why) in seen.verdicts["shape"]
    assert markup.plain(right.shown) in seen.verdicts["shape"]
    assert "Give an answer" in seen.empty or "Move an item" in seen.empty
    assert seen.live >= 6  # each verdict and the score are told to screen readers


def test_another_paper_follows_and_takes_the_focus(seen):
    assert seen.next_open == "0 right so far, 5 of 5 open."
    assert seen.focus == "Quiz 9.1, Small"


def test_nothing_is_asked_of_the_network_and_nothing_complains(seen):
    assert [url for url in seen.requests if not url.startswith("file:")] == []
    assert seen.complaints == []


def test_the_data_are_plain_json_and_say_what_is_right(small):
    data = paper_page_data("9.1", 1, **small)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert {q["kind"] for q in data["questions"]} == {
        "choice",
        "choices",
        "number",
        "order",
        "code",
    }
    assert data["n_needed"] == 4
    number = next(q for q in data["questions"] if q["kind"] == "number")
    assert number["answer"]["numbers"][0]["right"]
    assert set(data["units"]) == {"number"}


def test_a_fragment_cannot_be_left_by_a_text(small, tmp_path):
    text = '</script><script>document.title="x"</script><!-- <b>'
    plan = {"9.1": Plan("9.1", text, 5, 0.8, True)}
    made = fragment("9.1", (1,), banks=small["banks"], plans=plan)
    assert made.count("<script") == made.count("</script>") == 1
    inside = re.search(r'class="quiz-papers">(.*?)</script>', made, re.S)[1]
    assert json.loads(inside)[0]["title"] == text
