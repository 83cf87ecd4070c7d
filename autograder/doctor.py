"""What this machine has for grading, and what to install where something is missing.

Owns: the list of things looked at. Must not know: courses, submissions. Read before: sandbox.py.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder import sandbox
from autograder.errors import AutograderError


@dataclass(frozen=True)
class Finding:
    """One thing: ``ok`` is False where grading suffers; ``needed`` where it cannot go on."""

    name: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = False


def examine() -> list[Finding]:
    """Look at everything; a look that fails is a finding."""
    looks: list[Callable[[], list[Finding]]] = [
        _python,
        _sandboxes,
        _compiler,
        _nbgrader,
        _kernels,
        _gpu,
    ]
    found = []
    for look in looks:
        try:
            found += look()
        except (OSError, AutograderError, subprocess.SubprocessError) as error:
            found.append(
                Finding(look.__name__.strip("_"), False, f"could not be examined: {error}")
            )
    return found


def _python() -> list[Finding]:
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    user = "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "an ordinary user"
    text = f"{sys.version.split()[0]} on {sys.platform}, {n} CPUs, as {user}"
    return [Finding("Python", sys.version_info >= (3, 11), text, "install Python 3.11 or newer")]


def _sandboxes() -> list[Finding]:
    """Every mode, and the one that grading would use, attacked."""
    found = []
    for backend in sandbox.backends():
        if backend.sandboxed:
            why = sandbox.probe(backend)
            found.append(Finding(f"sandbox {backend.name}", not why, why or backend.title))
    try:
        chosen = sandbox.choose()
    except AutograderError as error:
        return [*found, Finding("sandbox", False, str(error), needed=True)]
    through = sandbox.self_attack(chosen)
    text = f"{chosen.name}; " + (f"{', '.join(through)} got through" if through else "it holds")
    return [*found, Finding("sandbox chosen", not through, text, needed=True)]


def _compiler() -> list[Finding]:
    name = os.environ.get("CC", "cc").split()[0]
    path = shutil.which(name)
    advice = "" if path else "apt-get install build-essential (only to build the engine)"
    return [Finding("C compiler", bool(path), path or f"no {name}", advice)]


def _nbgrader() -> list[Finding]:
    try:
        version = importlib.metadata.version("nbgrader")
    except importlib.metadata.PackageNotFoundError:
        advice = "pip install 'minengine[grading]' (gradebook, feedback, formgrader)"
        return [Finding("nbgrader", False, "not installed", advice)]
    # a new gradebook calls the program alembic by name
    beside = Path(sys.executable).with_name("alembic")
    reached = shutil.which("alembic") or (beside.exists() and str(beside))
    advice = "" if reached else "pip install alembic; nbgrader calls it to make a gradebook"
    text = version + ("" if reached else "; no alembic")
    return [Finding("nbgrader", bool(reached), text, advice)]


def _kernels() -> list[Finding]:
    if importlib.util.find_spec("jupyter_client") is None:
        advice = "pip install jupyterlab ipykernel (for students' notebooks; grading needs none)"
        return [Finding("Jupyter kernels", False, "jupyter_client is not installed", advice)]
    from jupyter_client.kernelspec import KernelSpecManager  # a second to import

    names = sorted(KernelSpecManager().find_kernel_specs())
    advice = "" if names else "pip install ipykernel"
    return [Finding("Jupyter kernels", bool(names), ", ".join(names) or "none", advice)]


def _gpu() -> list[Finding]:
    path = shutil.which("nvidia-smi")
    if path is None:
        return [Finding("GPU", True, "none found; nothing here needs one")]
    query = [path, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    ran = subprocess.run(query, capture_output=True, text=True, timeout=20)
    text = "; ".join(ran.stdout.strip().splitlines()) if ran.returncode == 0 else ran.stderr.strip()
    return [Finding("GPU", True, text or "nvidia-smi says nothing")]
