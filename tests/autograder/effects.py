"""What a hostile submission may have done outside its sandbox: files, litter, processes.

``valuables`` lays out what it would love to have; the others are compared before and after.
"""

from __future__ import annotations

import os
from pathlib import Path

SECRET = "SECRET_d41d8cd98f00"


def valuables(folder: Path, reference: str) -> Path:
    """A gradebook, a secret and a solution where permissions allow everybody everything."""
    (folder / "gradebook.db").write_text(SECRET)
    (folder / "secret").write_text(SECRET)
    solution = folder / "solutions" / "01_transformer_layer"
    solution.mkdir(parents=True)
    (solution / "reference.py").write_text(f"import numpy as np\nS = '{SECRET}'\n{reference}")
    for path in [*folder.rglob("*"), folder, folder.parent]:
        path.chmod(0o777)
    return folder


def state(folder: Path) -> dict[str, tuple]:
    """Name -> (mode, size, time of change, text) of everything in a folder."""
    stats = {p.relative_to(folder).as_posix(): (p, p.lstat()) for p in folder.rglob("*")}
    return {
        name: (s.st_mode, s.st_size, s.st_mtime_ns, p.read_text() if p.is_file() else "")
        for name, (p, s) in stats.items()
    }


def litter() -> set[str]:
    """Names in the folders that everybody may write to."""
    return {
        f"{folder}/{name}"
        for folder in ("/tmp", "/var/tmp", "/dev/shm")
        if os.path.isdir(folder)
        for name in os.listdir(folder)
        if name.startswith(
            ("autograder-filler", "autograder-pickle", "numpy", "sitecustom", "link")
        )
    }


def descendants() -> set[tuple[int, str]]:
    """(number, start time) of every process below this one."""
    parents = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:  # any of them may end between the listing and the reading
            fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(pid)] = (int(fields[1]), fields[19])
    below, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in below} - below
        below, grown = below | more, bool(more)
    return {(pid, parents[pid][1]) for pid in below - {os.getpid()} if pid in parents}
