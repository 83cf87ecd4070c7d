"""Measured before the lengths were chosen anew."""

FAILS = {
    "findings_strides": "measured-form",
    "findings_costs": "measured-form",
}


def findings():
    costs = [[1000, 10, 0]] * 4
    return {
        "sectors": {"1": 4, "2": 8},
        "ways": {"1": 1, "2": 2},
        "costs": {"penalize": costs, "rotate": costs, "round_q8": costs, "cumulate": costs},
    }
