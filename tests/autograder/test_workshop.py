"""A workshop: trusted code behind walls, where programs may be run on what a submission said."""

from __future__ import annotations

import time

import pytest

from autograder import sandbox
from autograder.local import LocalStudent
from tests.autograder.effects import descendants

PROGRAM = '''
import os
import socket
import subprocess
import sys


def built(text):
    """The bytes of a shared library, and what the folder holds afterwards."""
    with open("a.c", "w") as file:
        file.write(text)
    ran = subprocess.run(["cc", "-shared", "-fPIC", "a.c", "-o", "a.so"], capture_output=True)
    data = open("a.so", "rb").read() if ran.returncode == 0 else ran.stderr
    for name in os.listdir():
        os.unlink(name)
    return ran.returncode, data[:4]


def left_behind():
    subprocess.Popen(["sleep", "100"], stdout=subprocess.DEVNULL)
    return True


def connected():
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError as error:
        return str(error)
    return "through"


def forked_away():
    try:
        os.setsid()
    except OSError as error:
        return str(error)
    return "through"


def read(path):
    try:
        return open(path).read()
    except OSError as error:
        return type(error).__name__


def imported(name):
    return __import__(name).NUMBER


def endless():
    while True:
        pass
'''
KINDS = [b for b in sandbox.backends() if b.sandboxed and not b.missing()]


@pytest.fixture(scope="module", params=KINDS, ids=lambda b: b.name)
def student(request, tmp_path_factory):
    kind = request.param if not sandbox.probe(request.param) else sandbox.choose()
    with sandbox.Student({"f": "def f():\n    return 1\n"}, backend=kind) as student:
        yield student


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages") / "bench_of_ours"
    folder.mkdir()
    folder.parent.chmod(0o755)
    (folder / "__init__.py").write_text("NUMBER = 42\n")
    return folder


def test_a_compiler_runs_there_and_its_result_comes_back_as_data(student, package):
    assert student.f() == 1
    shop = student.workshop("a", PROGRAM, [package])
    assert shop.built("int f(void) { return 1; }") == (0, b"\x7fELF")
    code, words = shop.built("int f(void) { return 1 }")
    assert code
    assert words
    assert shop.imported("bench_of_ours") == 42


def test_it_has_no_network_and_sees_no_more_of_the_system(student, package):
    shop = student.workshop("a", PROGRAM, [package])
    assert shop.connected() != "through"
    assert shop.forked_away() != "through"
    for path in ("/etc/passwd", "/etc/shadow", __file__):
        assert shop.read(path) in ("FileNotFoundError", "PermissionError")


def test_programs_that_it_started_end_with_it(student, package):
    before = set(descendants())
    assert student.workshop("b", PROGRAM, [package]).left_behind()
    student.workshop("a", PROGRAM, [package]).connected()  # another name ends the first's process
    deadline = time.monotonic() + 10
    # the workshop itself stays: walls, server, one worker
    while len(new := set(descendants()) - before) > 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(new) <= 3, new


def test_what_one_name_costs_is_not_another_ones(student, package, monkeypatch):
    monkeypatch.setattr(sandbox, "WORKSHOP", sandbox.Limits(call_s=0.3, total_s=30))
    shop = student.workshop("slow", PROGRAM, [package])
    for _ in range(sandbox.MAX_TIMEOUTS + 1):
        with pytest.raises(sandbox.StudentError) as caught:
            shop.endless()
        assert caught.value.tag == "timeout"
    assert student.workshop("other", PROGRAM, [package]).imported("bench_of_ours") == 42


def test_the_submissions_own_sandbox_gets_no_programs(student, package):
    student.workshop("a", PROGRAM, [package]).connected()
    source = (
        "import subprocess\ndef g():\n    return subprocess.run(['cc', '--version']).returncode\n"
    )
    with (
        sandbox.Student({"g": source}, backend=student.backend) as other,
        pytest.raises(sandbox.StudentError, match=r"PermissionError|FileNotFoundError|BlockingIO"),
    ):
        other.g()


def test_at_home_the_same_code_runs_in_this_process():
    shop = LocalStudent({}, []).workshop("a", "def twice(x):\n    return 2 * x\n")
    assert shop.twice(21) == 42
