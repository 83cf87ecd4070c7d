"""Files in a folder or a zip that somebody else made: listed and read, never unpacked.

Names are labels only, no path is made of them, so none can lead elsewhere. Links are not followed;
sizes are bounded while reading, whatever an archive says of itself. What is left out is said in
one line each. Owns: this. Must not know: students, learning systems, notebooks.
Read before: errors.py.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from autograder.errors import CourseError

MAX_FILE = 50 * 2**20  # bytes of one file: a notebook, or an export's metadata
MAX_FILES = 200_000  # entries looked at
MAX_TOTAL = 8 * 2**30  # bytes read from one source; collecting reads most files twice
CHUNK = 2**20


class Unreadable(CourseError):
    """One file that cannot be read, in words; the others can."""


@dataclass(frozen=True)
class Entry:
    """A file: its ``name`` with / between the parts; ``changed`` and ``owner`` only in folders.

    ``changed`` is when the file system last touched the file, which its owner cannot set.
    """

    name: str
    size: int
    read: Callable[[], bytes]
    changed: datetime | None = None
    owner: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        return PurePosixPath(self.name).parts


@dataclass(frozen=True)
class Archive:
    """The files of a source, by name, and a line for each thing that was left out."""

    path: Path
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()


@contextmanager
def opened(path: Path | str) -> Iterator[Archive]:
    """The archive of a folder, a zip, or a single file. CourseError where it is none of these."""
    path, meter = Path(path), Meter()
    if path.is_dir():
        yield _folder(path, meter)
    elif path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path)):
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
            raise CourseError(f"{path}: not a zip that can be read: {error}") from None
        with archive:
            yield _zip(path, archive, meter)
    elif path.is_file():
        yield Archive(path, (_file(path, path.name, meter),))
    else:
        raise CourseError(f"{path}: no such file or folder")


class Meter:
    """Counts what was read of one source, so that a thousand small bombs are one large one."""

    def __init__(self) -> None:
        self.left = MAX_TOTAL

    def take(self, file, name: str) -> bytes:
        """The bytes of an open file; Unreadable beyond a file's or the source's cap."""
        parts, size = [], 0
        while part := file.read(CHUNK):
            size += len(part)
            self.left -= len(part)
            if size > MAX_FILE:
                raise Unreadable(f"{name}: larger than {MAX_FILE // 2**20} MiB")
            if self.left < 0:
                raise Unreadable(f"{name}: more than {MAX_TOTAL // 2**30} GiB in all were read")
            parts.append(part)
        return b"".join(parts)


def _folder(root: Path, meter: Meter) -> Archive:
    entries, skipped = [], []

    def closed(error: OSError) -> None:
        skipped.append(f"{error.filename}: cannot be listed: {error.strerror}")

    for folder, folders, files in os.walk(root, onerror=closed):
        folders.sort()
        for name in [*folders, *sorted(files)]:
            path = Path(folder, name)
            shown = path.relative_to(root).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                skipped.append(f"{shown}: a symbolic link; links are not followed")
            elif stat.S_ISREG(mode):
                entries.append(_file(path, shown, meter))
            elif not stat.S_ISDIR(mode):
                skipped.append(f"{shown}: neither file nor folder")
        if len(entries) > MAX_FILES:
            raise CourseError(f"{root}: more than {MAX_FILES} files; is this the right folder?")
    return Archive(root, tuple(entries), tuple(skipped))


def _file(path: Path, name: str, meter: Meter) -> Entry:
    about = path.lstat()

    def read() -> bytes:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with os.fdopen(os.open(path, flags), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreadable(f"{name}: no regular file any more")
                return meter.take(file, name)
        except OSError as error:
            raise Unreadable(f"{name}: cannot be read: {error.strerror}") from None

    changed = datetime.fromtimestamp(about.st_ctime, UTC)
    return Entry(name, about.st_size, read, changed, _user(about.st_uid))


def _user(uid: int) -> str:
    """The name of a user of this machine, its number where there is none."""
    try:
        import pwd  # not on Windows, where files have no such owner

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def _zip(path: Path, archive: zipfile.ZipFile, meter: Meter) -> Archive:
    infos = archive.infolist()
    if len(infos) > MAX_FILES:
        raise CourseError(f"{path}: more than {MAX_FILES} entries; this is no class's export")
    entries, skipped, seen = {}, [], set()
    for info in infos:
        name = info.filename.replace("\\", "/")
        why = "" if info.is_dir() else _odd(info, name)
        if why:
            skipped.append(f"{name}: {why}")
        if info.is_dir() or why:
            continue
        if name in seen:
            skipped.append(f"{name}: twice in the archive; the last one counts")
        seen.add(name)
        entries[name] = Entry(name, info.file_size, _reader(archive, info, name, meter))
    return Archive(path, tuple(entries[n] for n in sorted(entries)), tuple(skipped))


def _odd(info: zipfile.ZipInfo, name: str) -> str:
    """Why an entry of a zip is not looked at, or nothing."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
        return "its name leads out of the archive"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a symbolic link; links are not followed"
    if kind not in (0, stat.S_IFREG):
        return "neither file nor folder"
    if info.flag_bits & 1:
        return "encrypted; ask for it without a password"
    if info.file_size > MAX_FILE:
        return f"larger than {MAX_FILE // 2**20} MiB"
    return ""


def _reader(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, meter: Meter
) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with archive.open(info) as file:
                return meter.take(file, name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise Unreadable(f"{name}: damaged: {error}") from None
        except RuntimeError as error:  # zipfile's word for a password
            raise Unreadable(f"{name}: {error}") from None

    return read
