"""Prompts that were changed afterwards."""

FAILS = {
    "measured_temperature": "measured-other",
    "measured_cuts": "measured-other",
}


def choices():
    return {
        "prompts": [
            "JULIET:\nO Romeo, Romeo! wherefore art thou",
            "Second Murderer:\nI hope",
            "KING RICHARD III:\nA horse! a horse! my kingdom for",
        ],
        "seeds": [5, 6],
    }
