"""A prompt twice."""

FAILS = {
    "choices_sizes": "choices-same",
    "measured_temperature": "choices-same",
    "measured_cuts": "choices-same",
    "measured_left": "choices-same",
}


def choices():
    return {"prompts": ["ROMEO:\n", "ROMEO:\n", "JULIET:\n"], "seeds": [1, 2]}
