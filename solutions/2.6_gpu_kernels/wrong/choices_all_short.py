"""No long input."""

FAILS = {
    "choices_bounds": "choices-size",
    "findings_strides": "choices-size",
    "findings_costs": "choices-size",
}


def choices():
    return {"strides": [1, 2, 5, 8, 32, 33], "lengths": [7, 40, 128, 200, 255], "seed": 1969}
