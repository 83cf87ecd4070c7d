"""The grader's exceptions, drawn as a tree; each message says what to do about it.

AutograderError
├── CourseError           a course folder, handout, checks or hints file: missing or malformed
│   └── NotInGradebook    there is no gradebook, or the assignment was not released into it
├── SubmissionError       a submission that cannot be read at all
├── SandboxUnavailable    no sandbox works here; says what to install
├── ClusterUnavailable    no Dask cluster answers, or it was lost in the midst of work
└── CheckFailed           one check of one submission failed: a tag (which idea) and a message
    └── StudentError      (in wire) the student's code raised, was stopped, or replied with no data
"""


class AutograderError(Exception):
    """Anything the grader says to its user."""


class CourseError(AutograderError):
    """A course folder, handout, checks or hints file that is missing or malformed."""


class NotInGradebook(CourseError):
    """There is no gradebook, or the assignment was not released into it."""


class SubmissionError(AutograderError):
    """A submission that cannot be read at all."""


class SandboxUnavailable(AutograderError):
    """No sandbox works here; the message says what to install."""


class ClusterUnavailable(AutograderError):
    """No Dask cluster answers, or it was lost in the midst of work."""


class CheckFailed(AutograderError):
    """A check failed: ``tag`` names the idea that is wrong, ``message`` says what was seen."""

    def __init__(self, tag: str, message: str) -> None:
        super().__init__(message)
        self.tag = tag
        self.message = message

    def __reduce__(self):  # two arguments: pickling between grading processes needs both
        return type(self), (self.tag, self.message)
