"""The load as it was handed out."""

FAILS = {
    "choices_sizes": "choices-size",
    "measured_growth": "choices-size",
    "measured_work": "choices-size",
    "measured_reuse": "choices-size",
    "measured_sizes": "choices-size",
    "measured_pressure": "choices-size",
}


def choices():
    return {
        "prompt": "ROMEO:\nWhat light through yonder window breaks?\n",
        "prefix": "",
        "questions": [],
        "seed": 0,
    }
