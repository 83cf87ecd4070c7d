"""A single prompt."""

FAILS = {
    "choices_sizes": "choices-size",
    "measured_temperature": "choices-size",
    "measured_cuts": "choices-size",
    "measured_left": "choices-size",
}


def choices():
    return {"prompts": ["ROMEO:\n"], "seeds": [1, 2]}
