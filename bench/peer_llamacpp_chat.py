"""The outside oracle for chat templates: what llama.cpp's built-in ones make of conversations. Runs
where llama-cpp-python is installed.

    python bench/peer_llamacpp_chat.py JOB.json OUT.npz

Called by ``peer_chat.py``; imports nothing of minengine. A job is a list of conversations, each
with the ``name`` of a template, its ``messages`` and ``add_generation_prompt``; stored are the
texts, as JSON.
"""

from __future__ import annotations

import ctypes
import json

import llama_cpp as lc
import numpy as np
from peer_answer import answer


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


def find(job: list[dict]) -> dict[str, np.ndarray]:
    return {"texts": np.array(json.dumps([render(case) for case in job]))}


if __name__ == "__main__":
    answer(find)
