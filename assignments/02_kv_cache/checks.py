"""Checks of assignment 2, collected in the order of the text.

Owns: the order, and which of the engine's modules the checks compare with (a result depends on
their text). Must not know: anything else. Read next: blocks.py, reading.py, reuse.py, whole.py.
"""

from __future__ import annotations

from blocks import POOL
from reading import READING
from reuse import REUSE
from whole import WHOLE

from minengine import cells, eviction, kvcache, oracle

ENGINE = (cells, eviction, kvcache, oracle)
globals().update({check.id: check for check in (*POOL, *READING, *REUSE, *WHOLE)})
