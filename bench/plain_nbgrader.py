"""Stock nbgrader in a container: what an exploit is given there, and what it does besides.

``bench/exploits.py`` prints it beside our own grader. The container (bubblewrap, a file system in
memory, limits, a user of its own) is there because nbgrader would let some of these loose on this
machine; what is looked for is what they do to the course and the class inside it.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "autograder")]

import effects  # noqa: E402 - of our tests; others install a package named tests
from hostile_folders import FOLDERS, NOTEBOOK, Place  # noqa: E402

from autograder import catalog, grade, handout, nbgrader_bridge  # noqa: E402
from autograder.bookkeeper import notebooks  # noqa: E402

EXPLOITS = {p.stem: p for p in sorted((ROOT / "tests/autograder/exploits").glob("*.py"))}
HOLE, TINY = "rms_norm", ROOT / "tests/autograder/tiny"
CODE_ID, TINY_ID = "01_transformer_layer", "01_tiny"
ORDINARY = "nobody"
FIRST_UID = 64000  # of the containers; limits on processes count per user
STOCK = """
c = get_config()
c.CourseDirectory.course_id = "plain"
c.ExecutePreprocessor.timeout = 30
"""
WHOLE_S = 300  # of one class of plain nbgrader
LIMITS = ("--as=6000000000", "--nproc=200", "--fsize=100000000", "--cpu=90", "--core=0")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def hand_in(root: Path, name: str, student: str = "") -> str:
    """The folder of an exploit, or an honest one for no name; returns whose it is."""
    tiny = grade.loaded(TINY, TINY_ID)
    row = FOLDERS.get(name)
    student = student or (row.student or name if row else "zoe")
    sources = {s.name: s.sources for s in [*tiny.solutions(), tiny.stub()]}
    path = root / "submitted" / student / TINY_ID / NOTEBOOK
    path.parent.mkdir(parents=True)
    filled = handout.fill(tiny.handout, sources[row.solution if row else "reference"])
    path.write_text(notebooks.text(filled))
    if row:
        row.do(Place(path.parent, root, json.loads(path.read_text())))
    return student


def plain(names: list[str], jobs: int) -> dict[str, tuple[float, list[str]]]:
    """Each exploit in a container of its own: ada graded before it, zoe after it."""
    with tempfile.TemporaryDirectory(prefix="plain-") as folder:
        for kind in (CODE_ID, TINY_ID):
            template(Path(folder, kind), kind)
        for path in [Path(folder), *Path(folder).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        baseline = {
            k: contained(Path(folder), "", k, i)[1] for i, k in enumerate((CODE_ID, TINY_ID))
        }
        say(f"an honest student there: {baseline}")

        def one(numbered: tuple[int, str]) -> tuple[float, list[str]]:
            number, name = numbered
            kind = TINY_ID if name in FOLDERS else CODE_ID
            points, seen = contained(Path(folder), name, kind, number)
            say(f"{name}: {points} {seen}")
            return points, [s for s in seen if s not in baseline[kind]]

        with ThreadPoolExecutor(jobs) as pool:
            return dict(zip(names, pool.map(one, enumerate(names, 2)), strict=True))


def template(root: Path, kind: str) -> None:
    """A course with ada's honest notebook graded by stock nbgrader."""
    root.mkdir()
    (root / "nbgrader_config.py").write_text(STOCK)
    nbgrader_bridge.init(root)
    if kind == TINY_ID:
        for part in ("assignments", "course"):
            shutil.copytree(TINY / part, root / part)
    course = TINY if kind == TINY_ID else ROOT
    assignment = catalog.find_course(course).assignment(kind)
    source = handout.source_notebook(assignment.handout, assignment.reference.sources)
    if kind == CODE_ID:  # the first task alone
        last = next(i for i, c in enumerate(source.cells) if c.id == f"check_{HOLE}")
        source.cells = source.cells[: last + 1]
    nbgrader_bridge.release(root, kind, source)
    (root / ".autograder").mkdir()
    (root / ".autograder" / "secret").write_text(effects.SECRET)
    for student in ("ada", "zoe"):
        code_or_folder(root, kind, "", student)
    grading = [sys.executable, "-m", "nbgrader", "autograde", kind, "--student", "ada"]
    subprocess.run(
        grading, cwd=root, env=environment(root, str(ROOT)), check=True, capture_output=True
    )


def code_or_folder(root: Path, kind: str, name: str, student: str = "") -> str:
    """Hand in an exploit of either kind, or the reference for no name."""
    if kind == TINY_ID:
        return hand_in(root, name, student)
    assignment = grade.loaded(ROOT, kind)
    text = EXPLOITS[name].read_text() if name else assignment.reference.sources[HOLE]
    notebook = json.loads((root / "release" / kind / f"{kind}.ipynb").read_text())
    next(c for c in notebook["cells"] if c["id"] == HOLE)["source"] = text
    path = root / "submitted" / (student or "mallory") / kind / f"{kind}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))
    return student or "mallory"


def contained(folder: Path, name: str, kind: str, number: int) -> tuple[float, list[str]]:
    """Run ``inside`` in a container: an ordinary user, no network, nothing to write but memory."""
    how = {}
    if os.getuid() == 0:
        group = pwd.getpwnam(ORDINARY).pw_gid
        how = {"user": FIRST_UID + number, "group": group, "extra_groups": []}
    walls = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for place, size in (("/dev/shm", 16 << 20), ("/tmp", 128 << 20), ("/var/tmp", 16 << 20)):
        walls += ["--size", str(size), "--perms", "1777", "--tmpfs", place]
    python, variables = interpreter()
    for bound in (str(ROOT), sys.prefix, str(Path(python).parent.parent)):
        if bound != "/usr":  # they may lie below /tmp
            walls += ["--ro-bind", bound, bound]
    walls += ["--ro-bind", str(folder / kind), "/tmp/template", "--chdir", "/tmp"]
    walls += ["--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"]
    limits = ["prlimit", *LIMITS, "--"]
    command = [python, str(Path(__file__).resolve()), name or kind, "" if name else "honest"]
    try:
        ran = subprocess.run(
            [*limits, *walls, *command], capture_output=True, text=True, errors="replace",
            env=variables, timeout=2 * WHOLE_S, cwd="/", **how,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 0.0, ["the run hung"]
    if ran.returncode:
        say(f"{name}: {ran.stderr[-500:]}")
        return 0.0, ["the run was killed with all its processes"]
    points, seen = json.loads(ran.stdout.splitlines()[-1])
    return points, seen


def inside(name: str, honest: bool) -> tuple[float, list[str]]:
    """Process 1 of the container: hand in, run nbgrader, look at what is left."""
    kind = name if honest else TINY_ID if name in FOLDERS else CODE_ID
    root = Path("/tmp/course")
    shutil.copytree("/tmp/template", root, copy_function=shutil.copyfile)
    Path("/tmp/home").mkdir()
    student = code_or_folder(root, kind, "" if honest else name, "mallory" if honest else "")
    before, grades = files(root), rows(root)
    run = [sys.executable, "-m", "nbgrader"]
    how = {"cwd": root, "stdout": subprocess.DEVNULL,
           "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}  # fmt: skip
    seen = []
    for command in ("autograde", "generate_feedback"):
        try:
            subprocess.run([*run, command, kind], timeout=WHOLE_S, **how)
        except subprocess.TimeoutExpired:
            seen.append("the class was stopped")
    left = [p for p in Path("/proc").glob("[0-9]*") if p.name != "1" and alive(p)]
    seen += ["processes left"] if left else []
    after = files(root)
    changed = sorted(n for n in before if after.get(n) != before[n])
    seen += [f"changed {', '.join(changed[:3])}"] if changed else []
    new = sorted(set(after) - set(before))
    seen += [f"left {', '.join(new[:3])}"] if new else []
    now = rows(root)
    if now.get("ada") != grades["ada"]:
        seen.append("a student graded before has other marks")
    if now.get("zoe") != grades["ada"]:
        seen.append("the next student lost marks")
    return now.get(student) or 0.0, seen + pages(root, student)


def alive(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def files(root: Path) -> dict[str, tuple[int, bytes]]:
    """What nobody's grading should touch, and litter where everybody may write."""
    found = {}
    places = [root / p for p in ("source", "release", "nbgrader_config.py", ".autograder")]
    places += [root / "autograded" / "ada", root / "numpy.py", Path("/dev/shm"), Path("/var/tmp")]
    places += [Path("/tmp/home/.ipython/profile_default/startup"), Path("/tmp/home/.pythonrc.py")]
    for place in places:
        for path in [place, *place.rglob("*")]:
            if path.is_file() and not path.is_symlink() and path.name != "README":
                data = path.read_bytes()[:100_000]
                found[str(path)] = (path.stat().st_size, data)
    ignored = re.compile(r"(course|home|template|tmp.+|\.\w+|ompi.*|pip.*)$")
    found |= {f"/tmp/{n}": (0, b"") for n in os.listdir("/tmp") if not ignored.match(n)}
    return found


def rows(root: Path) -> dict[str, float]:
    """student -> points that its gradebook says."""
    query = (
        "SELECT a.student_id, SUM(COALESCE(g.manual_score, g.auto_score, 0)) FROM grade g "
        "JOIN submitted_notebook n ON n.id = g.notebook_id "
        "JOIN submitted_assignment a ON a.id = n.assignment_id GROUP BY a.student_id"
    )
    try:
        with sqlite3.connect(root / "gradebook.db", timeout=5) as db:
            return dict(db.execute(query))
    except sqlite3.Error:
        return {}


def pages(root: Path, student: str) -> list[str]:
    """What its feedback gives away or lets act."""
    seen, secrets = set(), (effects.SECRET.encode(), b"SQLite format")
    for path in (root / "feedback" / student).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if any(s in data for s in secrets):
                seen.add("a secret in its feedback")
            if b"<script>alert('autograder')" in data or b"<img src=x onerror" in data:
                seen.add("its script runs in its feedback")
    return sorted(seen)


def environment(home: Path, python_path: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    one = {f"{n}_NUM_THREADS": "1" for n in ("OMP", "OPENBLAS", "MKL")}
    data = os.environ.get("JUPYTER_PATH", f"{sys.prefix}/share/jupyter")
    return {"PATH": path, "HOME": str(home), "PYTHONPATH": python_path, "LANG": "C.UTF-8",
            "JUPYTER_PATH": data, "PYTHONDONTWRITEBYTECODE": "1", **one}  # fmt: skip


def interpreter() -> tuple[str, dict[str, str]]:
    """A Python that an ordinary user can run, and the environment in which it finds everything.

    This one, if its folders are open to all; if not, OPEN_PYTHON or the system's,
    with the packages of this one.
    """
    real = Path(sys.executable).resolve()
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    if all(p.stat().st_mode & 0o005 == 0o005 for p in (real, *real.parents)):
        return sys.executable, environment(Path("/tmp/home"), str(ROOT))
    system = (
        os.environ.get("OPEN_PYTHON")
        or f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    )
    if not os.path.exists(system):
        sys.exit(f"{real} is in a folder that only root may enter, and there is no {system}")
    return system, environment(Path("/tmp/home"), f"{ROOT}{os.pathsep}{packages}")


if __name__ == "__main__":
    print(json.dumps(inside(sys.argv[1], sys.argv[2] == "honest")))
