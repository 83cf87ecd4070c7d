"""C++ text to a shared library; a student's text is compiled in a workshop.

A compiler reads what it is told to: ``#include`` and ``.incbin`` would put any file of the grader's
into a message or a library. In a workshop it sees the system's own folders and nothing else. What
it makes is run by nobody but the submission's own sandbox. Owns: finding the compiler, this one
call of it. Must not know: checks, courses. Read before: sandbox.py (``Student.workshop``).
"""

from __future__ import annotations

import os
import shlex
import shutil
from typing import Any

from autograder.errors import CheckFailed, CourseError
from autograder.local import LocalStudent

FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-x", "c++")
MOST_TEXT, MOST_SAID = 64 << 10, 3000  # characters of a program, of what the compiler says
WALL_S = 60
# runs beside the compiler: the library or None, and what was said
PROGRAM = """
import os, subprocess, tempfile


def build(argv, text, seconds):
    with tempfile.TemporaryDirectory() as folder:
        library = os.path.join(folder, "made.so")
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TMPDIR": folder}
        try:
            ran = subprocess.run(
                [*argv, "-o", library, "-"], input=text.encode("utf-8", "replace"), cwd=folder,
                env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return None, f"the compiler ran for more than {seconds} s"
        said = ran.stderr.decode("utf-8", "replace").replace(folder, "")
        if os.path.islink(library) or not os.path.isfile(library):
            return None, said or "the compiler was stopped"
        with open(library, "rb") as file:
            return file.read(), said
"""


def compile_cpp(text: str, within: Any = None) -> bytes:
    """The shared library of a C++17 program.

    ``within`` is the student in whose workshop it is compiled; without one it is compiled here,
    which is for one's own text on one's own machine. CheckFailed with tag "cpp-does-not-compile"
    and the compiler's words; CourseError where there is no compiler.
    """
    if not isinstance(text, str):
        raise CheckFailed(
            "wrong-type", f"want the text of a C++ program, got {type(text).__name__}"
        )
    if len(text) > MOST_TEXT:
        raise CheckFailed("cpp-does-not-compile", f"{len(text)} characters, want {MOST_TEXT}")
    shop = (within or LocalStudent({})).workshop("c++", PROGRAM)
    library, said = shop.build([*compiler(), *FLAGS], text, WALL_S)
    if not isinstance(library, bytes):
        raise CheckFailed("cpp-does-not-compile", str(said)[:MOST_SAID])
    return library


def compiler() -> list[str]:
    """The system's C++ compiler: $CXX, or c++. CourseError where there is none."""
    words = shlex.split(os.environ.get("CXX", "c++"))
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise CourseError("there is no C++ compiler; on Debian or Ubuntu: apt-get install g++")
    return [os.path.realpath(path), *words[1:]]
