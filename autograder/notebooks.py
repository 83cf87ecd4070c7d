"""The door to nbformat: reading and writing notebooks as files of our own.

nbformat imports jsonschema, which compiles a grammar of internationalised addresses whenever the
package rfc3987_syntax is there: 1.4 to 1.9 s of CPU time in every process, for a format that no
notebook has. jsonschema does without it where it cannot be imported, so here it cannot.
Owns: importing nbformat. Must not know: handouts, submissions, nbgrader. Read before: nothing.
"""

from __future__ import annotations

import json
import sys

sys.modules.setdefault("rfc3987_syntax", None)

from nbformat import NotebookNode, from_dict, write, writes  # noqa: E402

__all__ = ["NotebookNode", "from_dict", "text", "write", "writes"]


def text(notebook: NotebookNode) -> str:
    """A notebook of our own as JSON, laid out as nbformat does it; not validated (10 ms)."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
