"""What every test may rely on."""

import os
import signal
from pathlib import Path

from hypothesis import settings

# `make test` runs two processes on two cores, where threads that wait by spinning take the time of
# others, in what a test starts as well. Neither setting changes a result; NumPy comes later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Compiled kernels are kept in the clone's build folder, not in the user's cache.
os.environ["CUDASIM_CACHE"] = str(Path(__file__).resolve().parents[1] / "build" / "cudasim")

# A shell that starts the suite in the background leaves Ctrl-C ignored, and what is started from
# here would inherit that: the tests of Ctrl-C want what a terminal gives.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts a duration: a checked build or a busy machine takes longer than 0.2 s an example.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
