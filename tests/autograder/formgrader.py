"""nbgrader's formgrader driven in a real browser, as an instructor would.

    with running(course_folder) as address, browser() as open_page:
        page = open_page()
        autograde(page, address, "ada")

``python tests/autograder/formgrader.py FOLDER`` writes a picture of each step into FOLDER. Needs
Debian's chromium and PyPI's playwright, which is told to use it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autograder import catalog, handout, nbgrader_bridge, notebooks
from autograder.classroom import Classroom

ID = "01_tiny"
TINY = Path(__file__).parent / "tiny"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
START_S, STEP_MS = 180.0, 180_000  # a machine may be busy
EVIL = (
    "def center(x, weight):\n"
    "    # <script>document.title = 'owned'</script><img src=x onerror=alert(1)>\n"
    '    raise ValueError(\'</pre><script>document.title = "owned"</script>'
    "<img src=x onerror=alert(1)>')\n"
)


def make_course(root: Path) -> None:
    """The tiny course with three students: one wrong, one right, one whose text is markup."""
    tiny = catalog.find_course(TINY).assignment(ID)
    nbgrader_bridge.init(root, TINY)
    Classroom(root).make_secret()
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.release(root, ID, source)
    solutions = {s.name: dict(s.sources) for s in tiny.solutions()}
    handed_in = {
        "ada": solutions["no_mean"],
        "bob": solutions["loops"],
        "mallory": {**solutions["reference"], "center": EVIL},
    }
    names = {"ada": "Lovelace, Ada", "bob": "Babbage, Bob", "mallory": "<b>M</b>, Mallory"}
    with nbgrader_bridge._open(nbgrader_bridge._course(root)) as book:
        for student, name in names.items():
            last, first = name.split(", ")
            book.update_or_create_student(student, first_name=first, last_name=last)
    for student, sources in handed_in.items():
        path = root / "submitted" / student / ID / f"{ID}.ipynb"
        path.parent.mkdir(parents=True)
        notebooks.write(handout.fill(tiny.handout, sources), path)


@contextlib.contextmanager
def running(root: Path) -> Iterator[str]:
    """A Jupyter server with formgrader on this course; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="jupyter-") as home:
        where = {f"JUPYTER_{n}_DIR": f"{home}/{n}" for n in ("CONFIG", "RUNTIME", "DATA")}
        command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        command += [f"--IdentityProvider.token={token}", "--ServerApp.terminals_enabled=False"]
        with open(Path(home, "log"), "wb") as log:
            server = subprocess.Popen(
                command, cwd=root, env={**os.environ, **where}, stdout=log, stderr=log
            )
        try:
            answers(server, f"http://127.0.0.1:{port}/formgrader?token={token}", Path(home, "log"))
            yield f"http://127.0.0.1:{port}/formgrader", token
        finally:
            server.terminate()
            server.wait(START_S)


def answers(server: subprocess.Popen, url: str, log: Path) -> None:
    """Wait until formgrader answers."""
    until = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).read()
            return
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"formgrader does not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


@contextlib.contextmanager
def browser() -> Iterator[Callable[[], Any]]:
    """Chromium without a window; yields the function that opens a page of it.

    On one CPU: with several, its processes starve each other where few are there.
    """
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        raise RuntimeError(f"none of {', '.join(CHROMIUMS)} is installed: apt-get install chromium")
    before = os.sched_getaffinity(0)
    with sync_playwright() as playwright:
        os.sched_setaffinity(0, {min(before)})  # what is started now inherits it
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        try:
            chromium = playwright.chromium.launch(executable_path=program, args=options)
        finally:
            os.sched_setaffinity(0, before)

        def open_page() -> Any:
            page = chromium.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(STEP_MS)
            page.dialogs = []
            page.on("dialog", lambda d: (page.dialogs.append(d.message), d.dismiss()))
            return page

        yield open_page
        chromium.close()


def press(page: Any, address: str, student: str, button: str) -> str:
    """Press ``autograde`` or ``generate-feedback`` of a student; what formgrader says of it."""
    page.goto(f"{address}/manage_submissions/{ID}")
    page.locator(row_of(student)).locator(f".{button} a").click()
    dialog = page.locator("#success-modal, #error-modal")
    dialog.wait_for()
    return dialog.locator(".modal-body").inner_text()


def table(page: Any, address: str) -> dict[str, list[str]]:
    """Student id -> the cells of the row in formgrader's table of submissions."""
    page.goto(f"{address}/manage_submissions/{ID}")
    page.locator(f"{row_of('ada')} .autograde a").wait_for()
    rows = page.locator("table tbody tr").all()
    cells = [[c.inner_text().strip() for c in row.locator("td").all()] for row in rows]
    return {c[1]: c for c in cells}


def row_of(student: str) -> str:
    return f"table tbody tr:has(td:text-is('{student}'))"


def grade_by_hand(page: Any, address: str, student: str, points: float, words: str) -> None:
    """Open a student's notebook and give points and a comment for the first task."""
    open_notebook(page, address, student)
    fields = {"grade": ("input.score#check_center", str(points)),
              "comment": ("textarea#center-comment", words)}  # fmt: skip
    for kind, (field, value) in fields.items():
        saved = re.compile(rf"/formgrader/api/{kind}/")
        with page.expect_response(saved) as answer:
            page.fill(field, value)
            page.locator(field).blur()  # leaving a field saves it
        if not answer.value.ok:
            raise RuntimeError(f"formgrader did not save the {kind}: {answer.value.status}")


def open_notebook(page: Any, address: str, student: str) -> None:
    with nbgrader_bridge._open(nbgrader_bridge._course(page.course)) as book:
        id_ = book.find_submission_notebook(ID, ID, student).id
    page.goto(f"{address}/submissions/{id_}/?index=0")
    page.locator("input.score#check_center").wait_for()
    # fields are live once formgrader has fetched what the gradebook says
    page.wait_for_function("document.querySelector('input.score#check_center').placeholder !== ''")


def walk(root: Path, to: Path | None = None) -> dict[str, Any]:
    """All steps, with a picture of each in ``to``; what was seen on the way."""
    seen: dict[str, Any] = {}
    with running(root) as (address, token), browser() as open_page:
        page = open_page()
        page.course = root

        def picture(name: str) -> None:
            if to:
                page.screenshot(path=to / f"{name}.png", full_page=True)

        page.goto(f"{address}/manage_assignments?token={token}")
        page.locator(f"text={ID}").first.wait_for()
        picture("1_assignments")
        seen["before"] = table(page, address)
        picture("2_submissions")
        for student in ("ada", "mallory"):
            seen[f"autograde {student}"] = press(page, address, student, "autograde")
        picture("3_autograded")
        seen["after"] = table(page, address)
        picture("4_marks")
        open_notebook(page, address, "mallory")
        seen["title"] = page.title()
        picture("5_hostile_text")
        grade_by_hand(page, address, "ada", 2.5, "Nearly: see me. <script>alert(3)</script>")
        picture("6_by_hand")
        seen["autograde again"] = press(page, address, "ada", "autograde")
        seen["again"] = table(page, address)
        picture("7_regraded")
        for student in ("ada", "mallory"):
            seen[f"feedback {student}"] = press(page, address, student, "generate-feedback")
        picture("8_feedback_made")
        for student in ("ada", "mallory"):
            path = root / "feedback" / student / ID / f"{ID}.html"
            page.goto(path.as_uri())
            seen[f"page {student}"] = page.locator("body").inner_text()
            seen[f"title {student}"] = page.title()
            picture(f"9_feedback_{student}")
        seen["dialogs"] = page.dialogs
    return seen


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        course, pictures = Path(folder, "spring"), Path(sys.argv[1])
        pictures.mkdir(parents=True, exist_ok=True)
        make_course(course)
        for what, said in walk(course, pictures).items():
            print(f"{what}: {said}")
