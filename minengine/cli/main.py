"""The ``minengine`` program: the app with every command."""

from __future__ import annotations

import sys

# importing a file of commands registers them, in the order of --help
from minengine.cli import chat, files, run, serve, simulate, texts
from minengine.cli.app import app

__all__ = ["app", "chat", "files", "main", "run", "serve", "simulate", "texts"]


def main() -> None:
    """The ``minengine`` program."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding can't show becomes "?" instead of an exception in the middle of
        # a text.
        stream.reconfigure(errors="replace")
    app(prog_name="minengine")
