"""A seed that is no number."""

FAILS = {
    "choices_bounds": "choices-form",
    "findings_strides": "choices-form",
    "findings_costs": "choices-form",
}


def choices():
    return {"strides": [1, 2, 5, 8, 32, 33], "lengths": [7, 40, 128, 300, 555], "seed": "moon"}
