"""Zips that we make: the same files give the same bytes, on any day and by anybody.

Owns: how a file goes into a zip, and which files of a folder may. Must not know: what is packed.
Read before: errors.py. What others packed is read by archive.py.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's first day, in the place of a file's own
MADE = (".so", ".pyc", ".c", ".html~")  # built here, built anew elsewhere


@dataclass(frozen=True)
class Packed:
    """A file of a zip: its ``name`` with / between the parts, its bytes, its permissions."""

    name: str
    data: bytes
    mode: int = 0o644


def write(path: Path, files: Iterable[Packed]) -> list[str]:
    """Write a zip in one step, its folders made; the names in it, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            info = zipfile.ZipInfo(file.name, EPOCH)
            info.create_system = 3  # Unix: permissions are read
            info.external_attr = (stat.S_IFREG | file.mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.data, compresslevel=9)
        names = archive.namelist()
    part.replace(path)
    return names


def below(root: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """(name from ``root``, path) of the files below a folder of ours, sorted by path.

    Left out are links, what is hidden and what was built.
    """
    for path in sorted(folder.rglob("*")):
        hidden = any(p.startswith((".", "__pycache__")) for p in path.relative_to(root).parts)
        if path.is_file() and not path.is_symlink() and not hidden and path.suffix not in MADE:
            yield path.relative_to(root).as_posix(), path
