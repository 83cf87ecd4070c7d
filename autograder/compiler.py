"""C++ text to a shared library; a student's text is compiled behind walls.

A compiler reads what it is told to: ``#include`` and ``.incbin`` would put any file of the grader's
into a message or a library. So it sees the system's own folders and nothing else, has no network,
and its time, memory and files are bounded. What it makes is run by nobody but the submission's own
sandbox. Owns: finding the compiler, this one call of it. Must not know: checks, courses. Read
before: walls.py, landlock.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder import landlock, sandbox
from autograder.errors import CheckFailed, CourseError

FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-x", "c++")
SYSTEM = ("/usr", "/lib", "/lib64", "/lib32", "/bin")  # what a compiler reads
MOST_TEXT, MOST_SAID = 64 << 10, 3000  # characters of a program, of what the compiler says
CPU_S, WALL_S, MEMORY, FILE = 20, 60, 2 << 30, 16 << 20


def compile_cpp(text: str, *, confined: bool = True) -> bytes:
    """The shared library of a C++17 program.

    ``confined`` False is for one's own text on one's own machine, as is a system where no walls
    work: there a grader has refused before, or was told to trust everything. CheckFailed with tag
    "cpp-does-not-compile" and the compiler's words; CourseError where there is no compiler.
    """
    if not isinstance(text, str):
        raise CheckFailed(
            "wrong-type", f"want the text of a C++ program, got {type(text).__name__}"
        )
    if len(text) > MOST_TEXT:
        raise CheckFailed("cpp-does-not-compile", f"{len(text)} characters, want {MOST_TEXT}")
    with _folder() as folder:
        library = folder / "made.so"
        argv = [*compiler(), *FLAGS, "-o", str(library), "-"]
        if confined:
            argv = _behind_walls(argv, folder)
        said = _run(argv, text, folder)
        if library.is_symlink() or not library.is_file():
            raise CheckFailed(
                "cpp-does-not-compile", said[:MOST_SAID] or "the compiler was stopped"
            )
        return library.read_bytes()


def compiler() -> list[str]:
    """The system's C++ compiler: $CXX, or c++. CourseError where there is none."""
    words = shlex.split(os.environ.get("CXX", "c++"))
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise CourseError("there is no C++ compiler; on Debian or Ubuntu: apt-get install g++")
    return [os.path.realpath(path), *words[1:]]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="autograder-cpp-") as name:
        yield Path(name)


def _behind_walls(argv: list[str], folder: Path) -> list[str]:
    """The same command where only the system and ``folder`` are to be seen."""
    backend = sandbox.choose(allow_unsandboxed=True)
    if not backend.sandboxed:
        return argv
    there = [p for p in SYSTEM if os.path.exists(p)]
    if backend.name == "landlock":
        read = sorted({os.path.realpath(p) for p in there} | {"/dev/null"})
        how = {
            "read": read, "names": [], "write": [str(folder), "/dev/null"], "uid": None,
            "argv": argv,
        }  # fmt: skip
        flags = ["-I", "-S", "-B"]
        return [sys.executable, *flags, landlock.__file__, json.dumps(how)]
    command = [shutil.which("bwrap") or "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--new-session"]
    if backend.name == "bubblewrap-root":
        command += ["--cap-drop", "ALL"]
    else:
        command += ["--unshare-user", "--cap-drop", "ALL"]
    for place in there:
        command += (
            ["--symlink", os.readlink(place), place]
            if os.path.islink(place)
            else ["--ro-bind", place, place]
        )
    command += ["--dev-bind", "/dev/null", "/dev/null", "--bind", str(folder), str(folder)]
    return [*command, "--chdir", str(folder), *argv]


def _run(argv: list[str], text: str, folder: Path) -> str:
    """What the compiler said; it is stopped with all its children where it takes too long."""
    clean = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TMPDIR": str(folder)}
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        cwd=folder, env=clean, start_new_session=True, preexec_fn=_limits,
    ) as process:  # fmt: skip
        try:
            said = process.communicate(text.encode("utf-8", "replace"), timeout=WALL_S)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return f"the compiler ran for more than {WALL_S} s"
    return said.decode("utf-8", "replace").replace(str(folder), "")


def _limits() -> None:
    for what, most in (
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # macOS knows not all of them
            resource.setrlimit(what, (most, most))
