"""What every test may rely on."""

import signal

# A shell that starts the suite in the background leaves Ctrl-C ignored, and what is started from
# here would inherit that: the tests of Ctrl-C want what a terminal gives.
signal.signal(signal.SIGINT, signal.default_int_handler)
