"""A handful of attacks that the grader runs on itself before it grades.

Owns: ATTACKS, one submission whose functions each try one way out and say True if it opened.
Must not know: which sandbox it runs in. tests/autograder/exploits has many more. Read before:
sandbox.py.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autograder.errors import CheckFailed
from autograder.watch import Limits

SECRET = "AUTOGRADER_SECRET_OF_THE_SELF_ATTACK"
ATTACKS = {
    "read a file outside": """
def attack(folder, secret, pid):
    return secret in open(folder + "/gradebook").read()
""",
    "list a folder outside": """
import os
def attack(folder, secret, pid):
    return "gradebook" in os.listdir(folder)
""",
    "write a file outside": """
def attack(folder, secret, pid):
    open(folder + "/gradebook", "a").write("100 points")
    return True
""",
    "change a file's mode outside": """
import os
def attack(folder, secret, pid):
    os.chmod(folder + "/gradebook", 0o777)
    return True
""",
    "write to the interpreter": """
import os
def attack(folder, secret, pid):
    open(os.__file__, "a").close()
    return True
""",
    "see the grader's environment": """
import os, glob
def attack(folder, secret, pid):
    found = [repr(dict(os.environ))]
    for place in ("self", "1", str(os.getppid()), str(pid)):
        try:
            found.append(open(f"/proc/{place}/environ", errors="replace").read())
        except OSError:
            pass
    return any(secret in text for text in found)
""",
    "import the grader": """
def attack(folder, secret, pid):
    import autograder
    return True
""",
    "import the engine": """
def attack(folder, secret, pid):
    import minengine
    return True
""",
    "open a socket": """
import socket
def attack(folder, secret, pid):
    socket.socket()
    return True
""",
    "start a process": """
import os
def attack(folder, secret, pid):
    if os.fork() == 0:
        os._exit(0)
    return True
""",
    "run a program": """
import os
def attack(folder, secret, pid):
    os.execv("/bin/true", ["true"])
""",
    "signal other processes": """
import os
def attack(folder, secret, pid):
    opened = False
    for target in (pid, os.getppid(), 1, -1):
        try:
            os.kill(target, 0)
            opened = True
        except OSError:
            pass
    return opened
""",
    "trace the grader": """
import ctypes
def attack(folder, secret, pid):
    return ctypes.CDLL(None).ptrace(0x4206, pid, 0, 0) == 0  # PTRACE_SEIZE stops nobody
""",
    "leave the namespaces": """
import ctypes
def attack(folder, secret, pid):
    return ctypes.CDLL(None).unshare(0x10000000) == 0
""",
    "memory outside the limit": """
import os
def attack(folder, secret, pid):
    return os.memfd_create("m") > 0
""",
    "more memory than allowed": """
import numpy as np
def attack(folder, secret, pid):
    return bool(np.ones(1 << 28).all())
""",
    "become root": """
import os
def attack(folder, secret, pid):
    if os.getuid():
        os.setuid(0)
    return bool(open("/etc/shadow").read())
""",
}
LIMITS = Limits(call_s=2.0, total_s=20.0, memory_bytes=1 << 28)


def run(start: Callable[[Mapping[str, str], Limits], Any]) -> list[str]:
    """Names of the attacks that got through; ``start`` gives a Student for sources and limits."""
    sources = {f"attack_{i}": _renamed(source, i) for i, source in enumerate(ATTACKS.values())}
    through = []
    with tempfile.TemporaryDirectory(prefix="autograder-canary-") as folder:
        book = Path(folder, "gradebook")
        book.write_text(SECRET)
        os.chmod(folder, 0o777)  # a sandbox must hold where permissions would not
        os.chmod(book, 0o666)
        os.environ[SECRET] = SECRET
        try:
            with start(sources, LIMITS) as student:
                for i, name in enumerate(ATTACKS):
                    try:
                        opened = getattr(student, f"attack_{i}")(folder, SECRET, os.getpid())
                    except CheckFailed:
                        opened = False
                    if opened is not False:
                        through.append(name)
        finally:
            del os.environ[SECRET]
        if book.read_text() != SECRET or list(Path(folder).iterdir()) != [book]:
            through.append("a file outside was changed")
    return through


def _renamed(source: str, number: int) -> str:
    return source.replace("def attack(", f"def attack_{number}(")
