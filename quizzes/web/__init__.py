"""Quizzes in a page that marks itself, without a server: read ``pages.py``, then ``quiz.js``."""

from .pages import assets, fragment, paper_page_data

__all__ = ["assets", "fragment", "paper_page_data"]
