"""The report was never made."""

FAILS = {
    "measured_growth": "measured-missing",
    "measured_work": "measured-missing",
    "measured_reuse": "measured-missing",
    "measured_sizes": "measured-missing",
    "measured_pressure": "measured-missing",
}


def findings():
    return {}
