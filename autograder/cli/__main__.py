"""``python -m autograder.cli``."""

from autograder.cli.main import main

main()
