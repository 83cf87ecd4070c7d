"""The engine's exceptions, drawn as a tree; every one says what, where, got and want.

EngineError
├── FileError           the file is not what it says it is
│   ├── NotGGUF         wrong magic, wrong endianness, unknown version
│   ├── Truncated       the file ends before what it promises
│   └── Malformed       a length, type, name, offset or value no writer would produce
├── Unsupported         a well-formed file that asks for what this engine does not have, by name
├── ModelError          tensors or metadata that do not fit the architecture
└── RequestError        a prompt, token id or option that the loaded model cannot serve
    └── OutOfBlocks     the cache is full; nothing was changed
"""


class EngineError(Exception):
    """Anything the engine says to its user."""


class FileError(EngineError):
    """The file is not what it says it is."""


class NotGGUF(FileError):
    """Wrong magic, wrong endianness or unknown version."""


class Truncated(FileError):
    """The file ends before what it promises."""


class Malformed(FileError):
    """A length, type, name, offset or value that no writer would produce."""


class Unsupported(EngineError):
    """A well-formed file that asks for what this engine does not have; the message names it."""


class ModelError(EngineError):
    """Tensors or metadata that do not fit the architecture."""


class RequestError(EngineError):
    """A prompt, token id or option that the loaded model cannot serve."""


class OutOfBlocks(RequestError):
    """The cache has no free block; nothing was changed."""
