"""A student behind walls: calls, errors, limits, restarts; the same behind every kind of walls."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder import attacks, landlock, sandbox, seccomp, walls
from autograder.errors import CheckFailed, SandboxUnavailable
from autograder.sandbox import Limits, Student, StudentError

ROOT = Path(__file__).parents[2]
KINDS = [b for b in sandbox.backends() if b.sandboxed and not b.missing()]
NONE = sandbox.backends()[-1]
# of the tests and exploits, those for which it matters who one is
PRIVILEGE = (
    "test_sandbox or proc_ or ptrace or mount or root or kill or gradebook or files or limits"
)
ORDINARY = 61001  # a user that no distribution gives to anybody


@pytest.fixture(scope="module", params=[*KINDS, NONE], ids=lambda b: b.name)
def server(request):
    """A running sandbox of each kind that can be tried here, and none at all."""
    kind = request.param
    if kind.sandboxed and sandbox.probe(kind):
        kind = sandbox.choose()
    with sandbox.Server(kind) as server:
        yield server


@pytest.fixture
def student(server):
    """``student(source, **limits)``: a submission with one hole, ended after the test."""
    made = []

    def make(source: str, **limits) -> Student:
        made.append(Student({"hole": source}, limits=Limits(**limits), backend=server))
        return made[-1]

    yield make
    for one in made:
        one.close()


def failure(call, *args) -> tuple[str, str]:
    with pytest.raises(StudentError) as caught:
        call(*args)
    return caught.value.tag, caught.value.message


def test_arrays_numbers_and_keywords_go_there_and_back(student):
    s = student("def f(x, eps=1): return {'sum': x.sum(), 'half': (x / 2, eps)}")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    got = s.f(x, eps=None)
    assert got["sum"] == 15
    assert got["sum"].dtype == np.float32
    np.testing.assert_array_equal(got["half"][0], x / 2)
    assert got["half"][1] is None


def test_an_argument_can_not_be_changed_from_there(student):
    s = student("def f(x):\n    x += 1\n    return x")
    x = np.zeros(3)
    seen = s.observe("f", x)
    assert x.tolist() == [0, 0, 0]
    assert seen.args_after[0].tolist() == [1, 1, 1]
    assert seen.shares_memory
    assert seen.seconds > 0


def test_a_warning_and_printed_text_cost_nothing(student):
    s = student(
        "import sys\ndef f(x):\n    print('out', 1 / x)\n    print('err', file=sys.stderr)\n"
        "    return np.exp(x)"
    )
    seen = s.observe("f", np.array([1000.0, 1.0]))
    assert seen.value[0] == np.inf
    assert [w for w in seen.warnings if "overflow" in w]
    assert s.printed[0].startswith("out")
    assert s.printed[1] == "err\n"


def test_printed_text_is_cut_and_the_call_goes_on(student):
    s = student("def f():\n    print('x' * 1_000_000)\n    return 1", output_bytes=100)
    assert s.f() == 1
    assert s.printed[0] == "x" * 100


@pytest.mark.parametrize(
    ("source", "tag", "words"),
    [
        ("def f():\n    raise ValueError('no rows')", "error", "ValueError: no rows (hole, line 2"),
        ("def f(): raise NotImplementedError", "not-implemented", ""),
        ("def g(): pass", "missing", "f is not defined"),
        ("def f(:", "missing", "f is not defined"),
        ("import os\ndef f(): os._exit(3)", "killed", "exit code 3"),
        ("def f():\n    while True: pass", "timeout", "did not finish within 0.3 s"),
        ("import time\ndef f(): time.sleep(99)", "timeout", "did not finish within 0.3 s"),
        ("def f(): return np.ones(1 << 27)", "memory", ""),
        ("def f(): return np.array([object()])", "bad-reply", "dtype object"),
        ("def f(): return np.ones(1 << 20)", "bad-reply", "larger"),
        ("import os\ndef f(): os.write(4, b'{' * 99)", "bad-reply", ""),
    ],
)  # fmt: skip
def test_each_way_to_fail_has_its_tag_and_the_next_call_works(student, source, tag, words):
    s = student(
        source + "\ndef ok(): return 1" if "(:" not in source else source,
        call_s=0.3, memory_bytes=256 << 20, reply_bytes=1 << 20,
    )  # fmt: skip
    got, message = failure(s.f)
    assert got == tag
    assert words in message
    if "(:" not in source:
        assert s.ok() == 1


def test_a_hole_that_can_not_be_loaded_says_so_when_called_and_the_others_work(server):
    sources = {
        "a": "def a(): return 1",
        "b": "def b(:",
        "c": "import os\nos._exit(1)",
        "d": "while True: pass",
        "e": "def e(): return a() + 1",
    }
    with Student(sources, limits=Limits(call_s=0.3), backend=server) as s:
        assert s.a() == 1
        assert s.e() == 2
        assert failure(s.b) == ("error", "SyntaxError: invalid syntax (b, line 1)")
        assert failure(s.c)[0] == "killed"
        assert failure(s.d)[0] == "timeout"
        assert s.e() == 2


def test_a_function_that_was_stopped_twice_is_not_called_again(student):
    s = student("def f():\n    while True: pass\ndef g(): return 1", call_s=0.2)
    assert [failure(s.f)[1] for _ in range(4)][2:] == ["f was stopped 2 times: not called"] * 2
    assert s.g() == 1


def test_a_submission_has_seconds_for_all_calls_together(student):
    s = student("import time\ndef f(): time.sleep(0.2)", total_s=0.5)
    told = []
    while not any("has used its 0.5 s" in t for t in told):
        with contextlib.suppress(StudentError):
            s.f()
            continue
        tag, message = failure(s.f)
        assert tag == "timeout"
        told.append(message)


def test_an_object_stays_there_and_its_methods_are_called_by_handle(student):
    s = student(
        "class Cache:\n    def __init__(self): self.k = []\n"
        "    def add(self, k): self.k.append(k); return len(self.k)\n"
        "def size(cache): return len(cache.k)\ndef die(): import os; os._exit(1)"
    )
    cache = s.Cache()
    assert isinstance(cache, sandbox.Handle)
    assert [cache.add(np.zeros(2)), cache.add(3), s.size(cache)] == [1, 2, 2]
    assert failure(cache.nothing)[0] == "missing"
    failure(s.die)
    tag, message = failure(cache.add, 1)
    assert tag == "killed"
    assert "lost" in message
    assert s.Cache().add(1) == 1


def test_submissions_of_one_sandbox_see_nothing_of_each_other(server):
    first = "import os, sys\ndef f():\n    np.seen = sys.seen = 1\n    os.environ['SEEN'] = '1'\n"
    second = "import os, sys\ndef f(): return hasattr(np, 'seen'), hasattr(sys, 'seen'), 'SEEN' in os.environ, os.getpid()"  # noqa: E501
    pids = set()
    for _ in range(3):
        with Student({"f": first}, backend=server) as s:
            s.f()
        with Student({"f": second}, backend=server) as s:
            *seen, pid = s.f()
            assert seen == [False, False, False]
            pids.add(pid)
    assert len(pids) == 3


def test_a_file_that_a_submission_leaves_is_gone_for_the_next(server):
    source = "import os\ndef f():\n    open('mine', 'w').write('x')\n    return os.listdir('.')"
    for _ in range(2):
        with Student({"f": source}, backend=server) as s:
            assert s.f() == ["mine"]


def test_threads_are_allowed(student):
    s = student(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def f(): return list(ThreadPoolExecutor(4).map(abs, [-1, 2]))"
    )
    assert s.f() == [1, 2]


@pytest.mark.parametrize("kind", KINDS, ids=lambda b: b.name)
def test_no_attack_on_ourselves_gets_through(kind):
    if not sandbox.probe(kind):
        assert sandbox.self_attack(kind) == []
    else:
        assert sandbox.choose() != kind


def test_the_attacks_get_through_where_there_are_no_walls():
    through = sandbox.self_attack(NONE)
    assert {"read a file outside", "write a file outside", "open a socket"} <= set(through)
    assert set(through) <= {*attacks.ATTACKS, "a file outside was changed"}


def test_where_no_sandbox_works_nothing_is_chosen_and_the_message_says_what_to_install(monkeypatch):
    kinds = [
        walls.Backend("b", "bubblewrap", True, lambda: "not installed", walls.unconfined),
        walls.Backend("l", "Landlock", True, lambda: "", lambda _: 1 / 0),
        NONE,
    ]
    monkeypatch.setattr(sandbox, "BACKENDS", kinds[::2])
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap") as caught:
        sandbox.choose()
    assert "bubblewrap: not installed" in str(caught.value)
    chosen = sandbox.choose(allow_unsandboxed=True)
    assert (chosen.title, chosen.sandboxed) == ("UNSANDBOXED", False)


def test_a_sandbox_that_does_not_start_is_unavailable_with_the_reason():
    broken = walls.Backend(
        "x", "broken walls", True, lambda: "",
        lambda *_: walls.Launch(["/bin/sh", "-c", "echo no namespaces >&2; exit 1"], {}, "/", "/"),
    )  # fmt: skip
    assert sandbox.probe(broken) == "broken walls: no namespaces"
    missing = walls.Backend(
        "x", "broken walls", True, lambda: "",
        lambda *_: walls.Launch(["/nonexistent"], {}, "/", "/"),
    )  # fmt: skip
    assert "No such file" in sandbox.probe(missing)


def test_an_error_of_a_student_is_a_failed_check():
    assert issubclass(StudentError, CheckFailed)


def test_the_filter_denies_by_default():
    program, number = seccomp.program()
    assert len(program) % 8 == 0
    assert number > 0
    forbidden = {"fork", "execve", "kill", "ptrace", "socket", "mount", "chmod", "memfd_create"}
    assert not forbidden & set(seccomp.ALLOWED)


def test_landlock_leaves_out_what_is_masked_and_every_link(tmp_path):
    for name in ("a", "b/site-packages", "b/c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "out").symlink_to("/etc")
    got = walls._without(str(tmp_path), (f"{tmp_path}/b/site-packages",))
    assert got == [f"{tmp_path}/a", f"{tmp_path}/b/c"]
    assert landlock.abi() >= 0


def test_both_privileges_are_tried():
    """As root, run the tests of the ordinary user's bubblewrap as an ordinary user too."""
    kinds = {b.name: b for b in sandbox.backends()}
    other = kinds["bubblewrap" if os.geteuid() == 0 else "bubblewrap-root"]
    assert other.missing()
    if os.geteuid() != 0 or sandbox.probe(kinds["bubblewrap-root"]):
        return  # no ordinary process can become root; without bubblewrap there is nothing to try
    keep = [f"--cap-add CAP_{c}".split() for c in ("SETUID", "SETGID", "SETPCAP")]
    above = [p for p in reversed(ROOT.parents) if Path("/tmp") in p.parents]  # of a clone in /tmp
    command = [
        shutil.which("bwrap"), "--dev-bind", "/", "/", "--die-with-parent",
        *itertools.chain(*keep), *opened(), "--perms", "0777", "--tmpfs", "/tmp",
        *itertools.chain(*(("--perms", "0755", "--dir", str(p)) for p in above)),
        "--bind", str(ROOT), str(ROOT), "--chdir", str(ROOT),
        "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "HOME", "/tmp",
        shutil.which("setpriv"), f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups",
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest",
        "tests/autograder/test_sandbox.py", "tests/autograder/test_exploits.py", "-k",
        f"bubblewrap and ({PRIVILEGE})",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "100%" in ran.stdout


def opened() -> list[str]:
    """bwrap's arguments that let anybody reach Python and these tests, through root's own home."""
    needed = [ROOT, Path(sys.base_prefix), Path(sys.prefix), Path(np.__file__).parents[1]]
    needed = [p.resolve() for p in needed]
    closed = {
        next((q for q in [*reversed(p.parents), p] if not q.stat().st_mode & 0o001), None)
        for p in needed
    } - {None}
    arguments = []
    for folder in sorted(closed):
        arguments += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in sorted(set(needed)):
        inside = [p for p in path.parents if any(c == p or c in p.parents for c in closed)]
        for parent in sorted(inside):
            arguments += ["--perms", "0755", "--dir", str(parent)]
        if inside:
            arguments += ["--bind", str(path), str(path)]
    return arguments
