"""A length twice."""

FAILS = {
    "choices_bounds": "choices-size",
    "findings_strides": "choices-size",
    "findings_costs": "choices-size",
}


def choices():
    return {"strides": [1, 2, 5, 8, 32, 33], "lengths": [7, 40, 40, 300, 555], "seed": 1969}
