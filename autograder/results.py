"""Results on disk: JSON lines, appended and never changed, one record a line.

A record is ``{key, student, assignment, digest, sandbox, seconds, ran, notes, results}``, and each
of its results has a ``key`` of its own. Records are facts, marks are derived from them (score.py);
so a crash loses at most the line being written, and a rerun finds by its ``key`` what is known: a
whole record, or single results, which it takes over into the next one. The last line of a student
counts. Lines of before results had keys (and of before ``ran``, the number of checks that were run
for a record) are records as well. Owns: this file format, the key. Must not know: how a result
arises, marks. Read before: checks.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SYNC_S = 1.0  # what a machine without power may lose; the same command grades it again
FIELDS = ("key", "student", "assignment", "digest", "sandbox", "seconds", "notes", "results")
Record = dict[str, Any]


def key(**parts: str) -> str:
    """The hash of everything a record depends on, by name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Results:
    """The records of one assignment. Holds an index in memory, and reads records when asked."""

    def __init__(self, path: Path | str) -> None:
        """Open or begin a file; lines that are no record (a torn last one) are only counted."""
        self.path = Path(path)
        self.torn = 0
        self._synced = float("-inf")
        self._index: dict[str, int] = {}  # student -> byte offset of the latest record
        if self.path.exists():
            self._scan()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, student: str) -> bool:
        return student in self._index

    def __iter__(self) -> Iterator[Record]:
        """The latest record of each student by name, one at a time."""
        for student in sorted(self._index):
            yield self.get(student)

    def latest(self, student: str) -> Record | None:
        """A student's latest record, None where there is none."""
        return self.get(student) if student in self._index else None

    def get(self, student: str) -> Record:
        """A student's latest record; KeyError where there is none."""
        offset = self._index[student]
        with self.path.open("rb") as file:
            file.seek(offset)
            return json.loads(file.readline())

    def append(self, record: Record) -> None:
        """Write one record; a process that is killed has lost nothing that was written.

        The first, and the next after each second, waits until all before it is on the disk.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # a line torn by a crash must not swallow this one
                    line = b"\n" + line
                    size += 1
            file.write(line)
            file.flush()
            if time.monotonic() > self._synced + SYNC_S:
                os.fsync(file.fileno())
                self._synced = time.monotonic()
        self._index[record["student"]] = size

    def close(self) -> None:
        """Wait until all that was appended is on the disk."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _scan(self) -> None:
        with self.path.open("rb") as file:
            offset = 0
            for line in file:
                record = _parse(line)
                if record is not None:
                    self._index[record["student"]] = offset
                elif line.strip():
                    self.torn += 1
                offset += len(line)


def _parse(line: bytes) -> Record | None:
    """A record, or None. No part of one is JSON, so a line that lost only its end is whole."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.keys() >= set(FIELDS) else None
