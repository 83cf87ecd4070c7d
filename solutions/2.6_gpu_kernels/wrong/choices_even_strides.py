"""No odd stride."""

FAILS = {
    "choices_bounds": "choices-size",
    "findings_strides": "choices-size",
    "findings_costs": "choices-size",
}


def choices():
    return {"strides": [2, 4, 6, 8, 32, 64], "lengths": [7, 40, 128, 300, 555], "seed": 1969}
