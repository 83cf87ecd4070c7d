"""Quizzes in a page that marks itself, without a server: ``pages.py``, ``quiz.js``, ``quiz.css``."""

from .pages import assets, fragment, paper_page_data

__all__ = ["assets", "fragment", "paper_page_data"]
