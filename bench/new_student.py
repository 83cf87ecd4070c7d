"""A new student's first hour and the instructor's part of it, in a fresh environment, by a browser.

    python bench/new_student.py --to build/new_student            wheel built, venv made, all steps
    python bench/new_student.py --wheel dist/student/*.whl --to build/new_student

The students' wheel goes into the zip of an assignment; in a folder elsewhere a fresh venv is made
as the zip's README says; JupyterLab runs there and is driven in chromium: the notebook is opened,
one task solved wrongly, its message read, the same task solved rightly; `autograder check`; the
file is handed in; the instructor collects, grades and writes feedback, which is opened too. A
picture of each step stands in the folder given. Exit code 1 where something is not as it should be.
Needs chromium and playwright; a browser whose tab crashed is started once more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
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
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder import catalog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "autograder"))

from formgrader import browser  # noqa: E402 - of our tests; others install a package so named

ID, HOLE, FIRST = "01_transformer_layer", "rms_norm", "rms_norm_values"
MISTAKE = "norm_sum_for_mean"  # FIRST, which students see, names it
STUDENT = "ada"
START_S, STEP_MS = 180.0, 120_000
# nothing of the look is changed: no question about news, and every cell is there without scrolling
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
}
INSTRUCTOR = [sys.executable, "-m", "autograder.cli"]
# what a student's shell has: nothing of this tree may be imported there
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
ENV |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class Run:
    """What was done and seen: a line for each step, with what it took and whether it is right."""

    def __init__(self, to: Path) -> None:
        self.to, self.wrong, self.n = to, 0, 0
        to.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        print(f"{title} ...", flush=True)
        yield
        print(f"    {time.monotonic() - started:.1f} s", flush=True)

    def want(self, what: str, fits: bool) -> None:
        self.wrong += not fits
        print(f"    {'ok  ' if fits else 'OFF '} {what}", flush=True)

    def picture(self, page: Any, name: str, whole: bool = False) -> None:
        self.n += 1
        page.screenshot(path=self.to / f"{self.n}_{name}.png", full_page=whole)

    def text(self, name: str, said: str) -> None:
        self.n += 1
        (self.to / f"{self.n}_{name}.txt").write_text(said, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="the students' wheel; built without it")
    parser.add_argument("--to", type=Path, default=Path("build/new_student"), help="pictures")
    given = parser.parse_args()
    run = Run(given.to.resolve())
    with tempfile.TemporaryDirectory(prefix="new-student-") as folder:
        place = Path(folder)
        wheel = given.wheel or built(run, place)
        home = unpacked(run, place, wheel)
        with run.step("JupyterLab in a browser"):
            in_the_browser(run, home)
        checked(run, home)
        graded(run, place, home)
    print(f"{run.wrong} things are off" if run.wrong else f"all as it should be: {given.to}")
    return 1 if run.wrong else 0


def command(*words: object, code: int | None = 0, **how: Any) -> str:
    """What a command prints; an error of another exit code than the one expected."""
    ran = subprocess.run(
        [str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how
    )
    if code is not None and ran.returncode != code:
        raise SystemExit(f"{' '.join(map(str, words))}: exit code {ran.returncode}\n{ran.stdout}")
    return ran.stdout


def built(run: Run, place: Path) -> Path:
    """The students' wheel of this tree."""
    with run.step("the students' wheel"):
        python = [sys.executable, "-m"]
        command(*python, "build", "--sdist", "--no-isolation", "--outdir", place, ROOT)
        (source,) = place.glob("*.tar.gz")
        how = ["--no-deps", "--no-build-isolation", "--no-cache-dir", "-w", place / "wheel"]
        env = os.environ | {"MINENGINE_STUDENT": "1"}
        command(*python, "pip", "wheel", "-q", *how, source, env=env, cwd=place)
        (wheel,) = (place / "wheel").glob("*.whl")
        return wheel


def unpacked(run: Run, place: Path, wheel: Path) -> Path:
    """The folder of the unpacked zip, with a venv in it as its README says."""
    with run.step("the zip, and what its README says"):
        packed = place / "a.zip"
        command(*INSTRUCTOR, "bundle", "1", "-o", packed, "--wheel", wheel, "--course", ROOT)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(place / "student")
        home = place / "student" / ID
        said = (home / "README.md").read_text(encoding="utf-8")
        run.text("readme", said)
        install = re.search(r"^    \.venv/bin/pip install '(wheel/[^']+)'$", said, re.M)
        run.want("the README says what to install", install is not None)
        venv.EnvBuilder(with_pip=True).create(home / ".venv")
        command(home / ".venv/bin/pip", "install", "-q", install[1], cwd=home, env=ENV)
        code = "import minengine.oracle as o; print(o.__file__)"
        where = command(home / ".venv/bin/python", "-c", code, cwd=home, env=ENV).strip()
        run.want(f"the oracle is compiled: {Path(where).name}", not where.endswith(".py"))
        closed = ["oracle.py", "oracle_models.py", "oracle_cache.py", "batch.py"]
        there = [name for name in closed if Path(where).with_name(name).exists()]
        run.want("no source of what is closed came along", not there)
    return home


@contextlib.contextmanager
def jupyter(home: Path) -> Iterator[str]:
    """JupyterLab in the student's folder; yields the notebook's address."""
    folder = home / ".venv" / "share" / "jupyter" / "lab" / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overrides.json").write_text(json.dumps(SETTINGS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, own = secrets.token_hex(8), home.parent / "jupyter"
    own.mkdir(exist_ok=True)
    where = {f"JUPYTER_{n}_DIR": f"{own}/{n}" for n in ("CONFIG", "RUNTIME", "DATA")}
    where |= {"JUPYTERLAB_WORKSPACES_DIR": f"{own}/w", "JUPYTERLAB_SETTINGS_DIR": f"{own}/s"}
    words = [home / ".venv/bin/jupyter", "lab", "--allow-root", "--no-browser"]
    words += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    words += [f"--IdentityProvider.token={token}"]
    with open(own / "log", "wb") as log:
        server = subprocess.Popen(
            list(map(str, words)), cwd=home, env=ENV | where, stdout=log, stderr=log
        )
    try:
        address, until = f"http://127.0.0.1:{port}/lab/tree/{ID}.ipynb?token={token}", START_S
        until += time.monotonic()
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=5).read()
                break
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"JupyterLab does not start:\n{(own / 'log').read_text()[-3000:]}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(START_S)


def in_the_browser(run: Run, home: Path) -> None:
    """Solve one task wrongly, see why, solve it rightly, save; once more if the browser crashes."""
    from playwright.sync_api import Error

    fresh = (home / f"{ID}.ipynb").read_bytes()
    for attempt in (1, 2):
        (home / f"{ID}.ipynb").write_bytes(fresh)
        run.n = 1  # pictures of a second attempt take the places of the first
        try:
            with jupyter(home) as address, browser() as open_page:
                page = open_page()
                page.set_default_timeout(STEP_MS)
                solve(run, page, address, home)
            return
        except Error as error:
            print(f"    the browser: {str(error).splitlines()[0]}", flush=True)
            if attempt == 2:
                raise


def solve(run: Run, page: Any, address: str, home: Path) -> None:
    solutions = {s.name: s for s in catalog.find_course(ROOT).assignment(ID).solutions()}
    cells = json.loads((home / f"{ID}.ipynb").read_text(encoding="utf-8"))["cells"]
    at = {c["id"]: i for i, c in enumerate(cells)}
    page.goto(address)
    page.locator(".jp-Notebook .jp-Cell").nth(at[f"check_{HOLE}"]).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").first.wait_for()
    run.picture(page, "opened")
    for cell in cells[: at[HOLE]]:
        if cell["cell_type"] == "code":
            execute(page, at[cell["id"]])
    check = at[f"check_{HOLE}"]
    execute(page, at[HOLE], solutions[MISTAKE].own[HOLE])
    execute(page, check)
    panel = page.locator(".jp-Notebook .jp-Cell").nth(check).locator(".jp-OutputArea")
    said = panel.inner_text()
    tag = solutions[MISTAKE].fails[FIRST]
    run.want(f"a wrong solution is named: {tag}", tag in said and "checks passed" in said)
    run.want("the error below it is one line", "Traceback" not in said)
    show(page, check)
    run.picture(page, "wrong")
    panel.locator("summary", has_text="Where to look").first.click()
    show(page, check)
    run.picture(page, "hint")
    execute(page, at[HOLE], solutions["reference"].own[HOLE])
    execute(page, check)
    said = panel.inner_text()
    run.want("a right one passes", "✗" not in said and "checks passed" in said)
    show(page, check)
    run.picture(page, "right")
    page.keyboard.press("Control+s")
    until = time.monotonic() + START_S
    while "mean_square" not in (home / f"{ID}.ipynb").read_text() and time.monotonic() < until:
        time.sleep(0.2)
    run.want("saved", "mean_square" in (home / f"{ID}.ipynb").read_text())
    text = page.locator(".jp-Notebook .jp-Cell").nth(check).locator(".cm-content")
    before = text.inner_text()
    text.click()
    page.keyboard.type("# mine")
    run.want("a check cell cannot be edited", text.inner_text() == before)


def execute(page: Any, index: int, source: str | None = None) -> None:
    """Run a cell as one does at the keyboard, with other text in it if given; wait for its end."""
    cell = page.locator(".jp-Notebook .jp-Cell").nth(index)
    cell.scroll_into_view_if_needed()
    before = cell.locator(".jp-InputPrompt").first.inner_text()
    cell.locator(".cm-content").first.click()
    if source is not None:
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(source.rstrip("\n"))
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "([i, before]) => { const p = document.querySelectorAll('.jp-Notebook .jp-Cell')[i]"
        ".querySelector('.jp-InputPrompt').innerText;"
        " return p !== before && /\\[\\d+\\]/.test(p); }",
        arg=[index, before],
    )


def show(page: Any, index: int) -> None:
    """Bring a cell to the top of what can be seen."""
    cell = page.locator(".jp-Notebook .jp-Cell").nth(index)
    cell.evaluate("e => e.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)


def checked(run: Run, home: Path) -> None:
    assignment = catalog.find_course(ROOT).assignment(ID)
    with run.step("autograder check"):
        words = [home / ".venv/bin/autograder", "check", f"{ID}.ipynb"]
        said = command(*words, cwd=home, code=1, env=ENV | {"COLUMNS": "100"})
        run.text("check", said)
        seen = [c for c in assignment.checks if c.hole == HOLE and c.visibility == "visible"]
        points = f"{sum(c.points for c in seen):g}"
        run.want(f"{points} points shown", f"{HOLE}  {points} of {points} points" in said)
        run.want("the others are not done", "Not done yet" in said)


def graded(run: Run, place: Path, home: Path) -> None:
    """Handed in, collected, graded, fed back."""
    with run.step("the instructor"):
        handed, room = place / "handed_in", place / "spring"
        (handed / STUDENT).mkdir(parents=True)
        shutil.copy(home / f"{ID}.ipynb", handed / STUDENT)
        course = ["--course", ROOT]
        said = command(*INSTRUCTOR, "init", room, *course)
        for words in (
            ["release", "1"],
            ["collect", "1", handed],
            ["grade", "1"],
            ["feedback", "1"],
        ):
            said += command(*INSTRUCTOR, *words, "--dir", room, *course)
        run.text("instructor", said)
        result = json.loads(
            command(*INSTRUCTOR, "grade", "1", "--dir", room, "--json", "--no-gradebook", *course)
        )
        (mark,) = result["marks"]
        whole = catalog.find_course(ROOT).assignment(ID).handout.points[HOLE]
        run.want(f"{mark['points']:g} of {mark['max_points']:g} points", mark["points"] == whole)
        page_file = room / "feedback" / STUDENT / ID / f"{ID}.html"
        with browser() as open_page:
            page = open_page()
            page.goto(page_file.as_uri())
            said = page.locator(".score").inner_text()
            run.want("the page says the mark", said.split()[0] == f"{mark['points']:g}")
            run.picture(page, "feedback")
            run.picture(page, "feedback_whole", whole=True)


if __name__ == "__main__":
    sys.exit(main())
