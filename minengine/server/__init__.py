"""The engine behind OpenAI's HTTP interface.

Reading order: ``worker.py`` (the one thread that runs the engine, requests in and pieces of text
out), ``fields.py`` (what a request may say), ``answers.py`` (what is said back), ``app.py`` (HTTP).
"""
