"""Checks of assignment 3: filters by what survives, draws on given numbers u, laws by statistics.

A mistake in a part costs its points at the part: the sampler is also accepted where it does with
the student's own parts what it should do. ``softmax`` is read by all that follows, which is lent a
right one where it is wrong.
Owns: the list. Must not know: solutions, sandboxes, seeds. Read before: handout.py (the contract),
dense.py (what is right, and inputs on which rounding decides nothing), mistakes.py (what each known
mistake gives, so that a failure can be named), filter_checks.py, draw_checks.py,
sampler_checks.py.
"""

from __future__ import annotations

import draw_checks
import filter_checks
import sampler_checks

from autograder.checks import of_module
from minengine import candidates, draws, oracle, penalties, sampling

JUDGES = (candidates, draws, oracle, penalties, sampling)  # a result depends on what stands there

for part in (filter_checks, draw_checks, sampler_checks):
    globals().update({check.id: check for check in of_module(vars(part))})
