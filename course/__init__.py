"""What lessons, labs and the interview share: drawings, and engines broken on purpose.

Owns: `charts` (the door to matplotlib) and what stands beside it. Must not know: grading.
"""
