"""The site in a real browser: every page, a quiz, the search, dark pages, a phone's width.

Built as `make site` builds it, into the same folder, so that lessons run once. Chromium is one of
the packages that README.md lists, so this never skips.
"""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.autograder.formgrader import browser

ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "build" / "site" / "instructors" / "html"
PHONE, DESK = {"width": 390, "height": 800}, {"width": 1280, "height": 900}
pytestmark = pytest.mark.timeout(3000)  # lessons run, two tries of a browser, on a busy machine


@pytest.fixture(scope="module")
def build():
    """`make site`; what it said. Lessons measure products with as many threads as a reader's."""
    own = {name: text for name, text in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-m", "course.site"], cwd=ROOT, env=own, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def address(build):
    """The pages behind a server on this machine."""
    assert build.returncode == 0, build.stderr

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing."""

    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def seen(address):
    """What was seen on all pages; a browser whose tab crashed is started once more."""
    from playwright.sync_api import Error

    for attempt in (1, 2):
        try:
            with browser() as open_page:
                return walk(open_page(), address)
        except Error:
            if attempt == 2:
                raise
    raise AssertionError


def pages() -> list[str]:
    """Every page of the site, as an address in it."""
    found = (p.relative_to(SITE) for p in SITE.rglob("*.html"))
    return sorted(p.as_posix() for p in found if "_static" not in p.parts)


def walk(page, address: str) -> dict:
    """Open every page on a phone, then use the site at a desk."""
    seen = {"errors": [], "outside": [], "wide": [], "opened": 0}
    page.on("pageerror", lambda e: seen["errors"].append((page.url, str(e))))
    page.on(
        "console",
        lambda m: m.type in ("error", "warning") and seen["errors"].append((page.url, m.text)),
    )
    page.on(
        "request",
        lambda r: r.url.startswith((address, "data:")) or seen["outside"].append(r.url),
    )
    page.set_viewport_size(PHONE)
    for name in pages():
        page.goto(f"{address}/{name}")
        seen["opened"] += 1
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            seen["wide"].append((name, width))
    page.set_viewport_size(DESK)
    for step in (formulas, quiz, found, dark):
        seen[step.__name__] = step(page, address)
    return seen


def formulas(page, address: str) -> tuple[int, int]:
    """How many formulas of a lesson were typeset, and how many of them say an error."""
    page.goto(f"{address}/lessons/2.2.html")
    page.locator("mjx-container").first.wait_for()
    return page.locator("mjx-container").count(), page.locator("mjx-merror").count()


def quiz(page, address: str) -> dict:
    """Answer the first question of each kind of quiz 2.1 wrongly or not at all, and one rightly."""
    page.goto(f"{address}/quizzes/2.1.html")
    first = page.locator(".quiz fieldset").first
    first.get_by_role("button", name="I do not know").click()
    page.locator(".quiz .quiz-wrong").first.wait_for()
    data = page.evaluate("JSON.parse(document.querySelector('.quiz-papers').textContent)")[0]
    number = next(i for i, q in enumerate(data["questions"]) if q["kind"] == "number" and i > 0)
    rows = data["questions"][number]["answer"]["numbers"]
    value = next((r["low"] + r["high"]) / 2 for r in rows if r["right"])
    second = page.locator(".quiz fieldset").nth(number)
    second.get_by_role("textbox").fill(repr(value))
    second.get_by_role("button", name="Check").click()
    page.locator(".quiz .quiz-right").first.wait_for()
    return {
        "wrong": page.locator(".quiz .quiz-is-wrong").count(),
        "right": page.locator(".quiz .quiz-is-right").count(),
        "score": page.locator(".quiz .quiz-score").inner_text(),
    }


def found(page, address: str) -> list[str]:
    """What the search says to a word."""
    page.goto(f"{address}/index.html")
    box = page.locator("input.sidebar-search")
    box.fill("mirostat")
    box.press("Enter")
    page.locator("#search-results ul.search li a").first.wait_for()
    page.wait_for_function("!document.querySelector('#search-progress')?.textContent")
    return page.locator("#search-results ul.search li a").all_inner_texts()


def dark(page, address: str) -> dict[str, float]:
    """How bright the page is by its button's settings, from 0 to 255."""
    page.goto(f"{address}/lessons/2.1.html")
    seen = {}
    for _ in range(3):
        page.locator(".content-icon-container .theme-toggle").click()
        mode = page.evaluate("document.body.dataset.theme")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen[mode] = sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3
    return seen


def test_the_site_builds_without_a_warning(build):
    assert build.returncode == 0, build.stderr
    assert build.stderr == ""
    n_pages = int(re.match(r"(\d+) pages in", build.stdout)[1])
    assert n_pages > 100


def test_every_page_opens_without_an_error(seen):
    assert seen["opened"] == len(pages()) > 100
    assert seen["errors"] == []


def test_no_page_asks_for_anything_outside_this_machine(seen):
    assert seen["outside"] == []


def test_no_page_is_wider_than_a_phone(seen):
    assert seen["wide"] == []


def test_formulas_are_typeset_without_errors(seen):
    n_typeset, n_errors = seen["formulas"]
    assert n_typeset > 10
    assert n_errors == 0


def test_a_quiz_is_marked_in_the_page(seen):
    assert (seen["quiz"]["wrong"], seen["quiz"]["right"]) == (1, 1)
    assert "1 right" in seen["quiz"]["score"]


def test_the_search_finds_the_lesson(seen):
    assert any("Generation and sampling" in title for title in seen["found"])


def test_a_click_makes_pages_dark(seen):
    assert seen["dark"]["dark"] < 60 < 200 < seen["dark"]["light"]


class Links(HTMLParser):
    """Addresses and ids of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {v for k in ("id", "name") if (v := values.get(k))}
        for key in ("href", "src"):
            if tag != "use" and values.get(key):
                self.links.append(values[key])


def test_every_link_leads_to_something(address):
    read = {}
    for name in pages():
        read[name] = Links()
        read[name].feed((SITE / name).read_text(encoding="utf-8"))
    broken = []
    for name, one in read.items():
        for link in one.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            target = target.resolve()
            inside = target.relative_to(SITE).as_posix()
            ids = read[inside].ids if inside in read else {unquote(parts.fragment)}
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in ids):
                broken.append((name, link))
    assert broken == []


def test_the_side_bar_is_the_syllabus(address):
    syllabus = yaml.safe_load((ROOT / "course" / "syllabus.yaml").read_text(encoding="utf-8"))
    text = (SITE / "index.html").read_text(encoding="utf-8")
    bar = text[text.index('class="sidebar-tree"') : text.index("</aside>")]
    linked = re.findall(r'href="((?:lessons|labs|assignments|quizzes)/[\w.]+)\.html"', bar)
    wanted = [
        f"{kind}/{id_}"
        for week in syllabus["weeks"]
        for kind in ("lessons", "labs", "assignments", "quizzes")
        for id_ in week[kind]
    ]
    assert linked == [page for page in wanted if (SITE / f"{page}.html").is_file()]
    assert {p.split("/")[0] for p in linked} >= {"lessons", "assignments", "quizzes"}
