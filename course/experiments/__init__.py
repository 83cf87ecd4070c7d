"""The measurements of the labs: one file a lab, functions that a notebook calls and shows.

Owns: what is measured and how it is drawn. Must not know: points, reports. What does not depend on
the machine is computed again by the lab's checks with the same functions.
"""
