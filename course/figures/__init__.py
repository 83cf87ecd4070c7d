"""The drawings of the lessons, a file for each theme, made by code from what the engine has.

Owns: what is drawn. Must not know: the text around it. Read before: `course/charts.py` (colours,
finishing), `shapes.py` (boxes, arrows, grids).
"""
