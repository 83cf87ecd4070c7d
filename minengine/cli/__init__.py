"""The command line, one file for each kind of command; ``main.py`` has them all."""
