"""The command line of the quizzes; ``main.py`` is the program, ``app.py`` its frame."""
