"""A GGUF inference engine small enough to read in a weekend."""

__version__ = "0.1.0"
