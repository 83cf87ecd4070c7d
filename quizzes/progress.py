"""What a student has answered so far, kept between runs; and which paper comes next.

Owns: the file of one student's progress in one quiz. Must not know: what is right, terminals. Read
before: nothing. The file is replaced as a whole after each reply, so an interrupted run loses at
most the question on the screen.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from .errors import ReplyError

STATE_VARIABLE = "MINENGINE_STATE_DIR"  # another folder for progress, for shared machines


@dataclass
class Progress:
    """One student's progress in one quiz: ``papers`` by seed, the unfinished one is ``current``."""

    path: Path
    current: str = ""
    papers: dict[str, dict] = field(default_factory=dict)

    @classmethod
    def load(cls, quiz: str, student: str) -> Progress:
        """What is kept, or nothing yet; ReplyError where the file is not one of ours."""
        name = hashlib.sha256(f"{quiz}\0{student}".encode()).hexdigest()[:16]
        path = folder() / f"{name}.json"
        if not path.exists():
            return cls(path)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            papers = {
                str(seed): {
                    "paper": str(row["paper"]),
                    "replies": {str(k): str(v) for k, v in row["replies"].items()},
                    "n_right": row["n_right"],
                }
                for seed, row in kept["papers"].items()
            }
            return cls(path, str(kept["current"]), papers)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReplyError(
                f"{path}: this is no progress of a quiz ({error!r}); delete the file to start again"
            ) from None

    def save(self) -> None:
        """Replace the file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps({"current": self.current, "papers": self.papers}, indent=1))
            new.replace(self.path)
        except OSError as error:
            raise ReplyError(
                f"{self.path}: progress cannot be kept: {error}; set {STATE_VARIABLE} to a folder"
            ) from None

    def seed(self, wanted: str | None, *, restart: bool) -> str:
        """The seed to draw: the wanted one, the unfinished one, else the next number from 1 on."""
        if wanted is not None:
            return wanted
        if self.current and not restart:
            return self.current
        return str(max((int(s) for s in self.papers if s.isdigit()), default=0) + 1)

    def open(self, seed: str, digest: str, *, restart: bool) -> dict[str, str]:
        """The replies given so far to a paper; none where it is another paper than was kept."""
        row = self.papers.get(seed)
        if restart or row is None or row["paper"] != digest or row["n_right"] is not None:
            row = self.papers[seed] = {"paper": digest, "replies": {}, "n_right": None}
        self.current = seed
        return row["replies"]

    def finish(self, seed: str, n_right: int) -> None:
        """The paper is complete; the next one is a fresh draw."""
        self.papers[seed]["n_right"] = n_right
        self.current = ""
        self.save()


def user_name() -> str:
    """The name of the user, for a paper of one's own."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "student"


def folder() -> Path:
    """Where progress is kept: ``MINENGINE_STATE_DIR``, else the user's state folder."""
    given = os.environ.get(STATE_VARIABLE)
    return Path(given) if given else platformdirs.user_state_path("minengine") / "quizzes"
