"""The engine behind OpenAI's HTTP interface.

Reading order: ``jobs.py`` (a prompt and its answers as they come), ``worker.py`` (the one thread
that runs the engine, requests in and pieces of text out), ``fields.py`` (what a request may say),
``questions.py`` (what is made of it), ``answers.py`` (what is said back), ``app.py`` (HTTP),
``connections.py`` (the socket).
"""
