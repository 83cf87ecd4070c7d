"""Checks of the module project, collected in the order of the text.

Function (60 points): reading.py, layers.py, running.py, writing.py. Performance (20): speed.py.
Code, as far as a machine can say (10): quality.py. The other 10 a human gives.
Owns: the list. Must not know: solutions, sandboxes, seeds.
"""

from __future__ import annotations

from layers import LAYERS
from quality import QUALITY
from reading import READING
from running import RUNNING
from speed import SPEED
from writing import WRITING

# The package of `autograder package`: module -> the pieces in it.
MODULES = {
    "gguf_file": ("read_gguf",),
    "blocks": ("dequantize",),
    "layers": ("rms_norm", "rope", "attention", "feed_forward"),
    "cache": ("KVCache",),
    "model": ("Model",),
    "sampling": ("sample",),
    "engine": ("generate",),
    "tests": ("self_test",),
}

TESTS = ("self_test",)  # pieces that are a student's own tests

globals().update({c.id: c for c in (*READING, *LAYERS, *RUNNING, *WRITING, *SPEED, *QUALITY)})
