"""Compiled kernels are kept in the clone's build folder, not in the user's cache."""

import os
from pathlib import Path

os.environ["CUDASIM_CACHE"] = str(Path(__file__).resolve().parents[2] / "build" / "cudasim")
