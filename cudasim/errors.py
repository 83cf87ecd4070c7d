"""cudasim's exceptions, drawn as a tree, under the names that CuPy gives them where it has them.

CudasimError
├── CompileException      the source is no CUDA C++; lines and columns are the source's own
├── CompilerMissing       no C++ compiler on this machine
├── LaunchError           a launch that a GPU refuses: geometry, shared memory, arguments
├── CUDADriverError       a launch that failed while it ran: wild address, assert, deadlock
│   └── TimeLimit         it ran longer than allowed
└── NotSimulated          CUDA that the simulator does not have, by name
"""

from __future__ import annotations


class CudasimError(Exception):
    """Anything cudasim says to its user."""


class CompileException(CudasimError):
    """The source does not compile. ``log``: all messages; ``errors``: (line, column, text) each."""

    def __init__(self, log: str, errors: tuple[tuple[int, int, str], ...] = ()) -> None:
        super().__init__(log)
        self.log = log
        self.errors = errors


class CompilerMissing(CudasimError):
    """No C++ compiler was found; the message says what to install."""


class LaunchError(CudasimError, ValueError):
    """A launch that a GPU refuses, with what it got and what is allowed."""


class CUDADriverError(CudasimError, RuntimeError):
    """A launch failed while it ran. ``line``: of the source, where it is known, else 0."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class TimeLimit(CUDADriverError):
    """A launch ran longer than the time limit and was stopped."""


class NotSimulated(CudasimError, NotImplementedError):
    """CUDA that the simulator does not have."""
