"""What can go wrong with a quiz, drawn as a tree.

QuizError
├── BankError       a bank or papers.yaml is not what it should be: file:line: what, got, want
├── DrawError       a question cannot be drawn: no parameters give one clear answer
├── AnswerError     a reply that cannot be read; nothing is said about whether it is right
├── ExportError     a paper that cannot be written where or as it was asked for
├── ReplyError      a file of replies, or of progress, that cannot be read or belongs elsewhere
└── Unclear         these parameters give no single clear answer: other ones are drawn
"""


class QuizError(Exception):
    """Anything the quizzes say to their user."""


class BankError(QuizError):
    """A bank file or papers.yaml is not what it should be; each line says file:line: what."""


class DrawError(QuizError):
    """A question that cannot be drawn from its bank."""


class AnswerError(QuizError):
    """A reply that cannot be read: no number, an unknown unit or letter."""


class ReplyError(QuizError):
    """A file of replies or of progress that cannot be read, or that belongs to another paper."""


class ExportError(QuizError):
    """A paper that cannot be written where or as it was asked for."""


class Unclear(QuizError):
    """Drawn parameters for which the answer is a tie; the paper draws other ones."""
