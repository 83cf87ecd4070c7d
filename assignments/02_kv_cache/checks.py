"""Checks of assignment 2, collected in the order of the text.

A mistake costs its points at its own task: where a task builds on others that are wrong, the
grader lends it right ones (``on_parts``, blocks.py). Owns: the order, and which of the engine's
modules the checks compare with (a result depends on their text). Must not know: anything else.
Read next: blocks.py, reading.py, reuse.py, whole.py.
"""

from __future__ import annotations

import blocks
import reading
import reuse
import whole

from autograder.checks import of_module
from minengine import cells, eviction, kvcache, oracle, oracle_cache

ENGINE = (cells, eviction, kvcache, oracle, oracle_cache)
for part in (blocks, reading, reuse, whole):
    globals().update({check.id: check for check in of_module(vars(part))})
