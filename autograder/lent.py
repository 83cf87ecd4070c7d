"""Functions lent to a submission: a call of one asks the grader, which answers by its own.

The grader sends the text of this file into the sandbox and has it executed there (loans.py), so
what does the work never enters; what crosses the pipe is arguments and values. What the grader's
function changed in an argument is changed here too, in the very object. Who keeps a lent function
and calls it when it is not lent any more gets no answer, and ends.
Owns: the asking end. Must not know: anything of ours but the frames of child.py, next to which it
runs. Read before: child.py.
"""

import sys

import numpy as np


def lend(submission, names):
    """Put functions of these names into the namespace of a child.Submission, which then has
    ``take_back``.
    """
    child, space = sys.modules[type(submission).__module__], submission.module.__dict__
    own = {name: space[name] for name in names if name in space}

    def take_back():
        for name in names:
            space.pop(name, None)
        space.update(own)

    submission.take_back = take_back
    space.update({name: asking(submission, child, name) for name in names})


def asking(submission, child, name):
    """A function that asks the grader for its value."""

    def ask(*args, **kwargs):
        encoder = child.Encoder(submission, submission.reply_bytes)
        given = [encoder.encode(a) for a in args]
        named = {k: encoder.encode(v) for k, v in kwargs.items()}
        child.write_frame({"ask": name, "args": given, "kwargs": named}, encoder.blobs)
        if (frame := child.read_frame()) is None:
            raise SystemExit
        answer, blobs = frame
        if "error" in answer:
            raise RuntimeError(answer["error"])
        value, *after = [submission.decode(a, blobs) for a in answer["args"]]
        for old, new in zip(args, after, strict=True):
            bring(old, new)
        return value

    return ask


def bring(old, new):
    """Make ``old`` what ``new`` is, in place where that can be; what is to be used of the two."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [key for key in old if key not in new]:
            del old[key]
        for key, value in new.items():
            old[key] = bring(old[key], value) if key in old else value
        return old
    if isinstance(old, list) and isinstance(new, list):
        old[:] = new
        return old
    arrays = isinstance(old, np.ndarray) and isinstance(new, np.ndarray)
    if arrays and old.shape == new.shape and old.dtype == new.dtype:
        old[...] = new
        return old
    return new
