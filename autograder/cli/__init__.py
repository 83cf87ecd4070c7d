"""The command line of the grader; ``main.py`` is the program, ``app.py`` its frame."""
