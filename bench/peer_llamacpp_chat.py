"""The outside oracle for chat templates: what llama.cpp's built-in ones make of conversations. Runs
where llama-cpp-python is installed.

    python bench/peer_llamacpp_chat.py JOB.json OUT.json

Called by ``peer_chat.py``; imports nothing of ours. A job is a list of conversations, each with the
``name`` of a template, its ``messages`` and ``add_generation_prompt``.
"""

from __future__ import annotations

import ctypes
import json
import sys

import llama_cpp as lc


def render(case: dict) -> str | None:
    """The text, None where llama.cpp refuses."""
    pairs = [(m["role"].encode(), m["content"].encode()) for m in case["messages"]]
    chat = (lc.llama_chat_message * len(pairs))(*(lc.llama_chat_message(*p) for p in pairs))
    room = 4096 + 4 * sum(len(a) + len(b) for a, b in pairs)
    out = ctypes.create_string_buffer(room)
    n = lc.llama_chat_apply_template(
        case["name"].encode(), chat, len(pairs), case["add_generation_prompt"], out, room
    )
    return None if n < 0 or n > room else out.raw[:n].decode()


def main(job_path: str, out_path: str) -> None:
    with open(job_path, encoding="utf-8") as f:
        found = [render(case) for case in json.load(f)]
    with open(out_path, "w", encoding="utf-8") as f:
        json.dump(found, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
