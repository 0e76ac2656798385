"""What there is to see of clusters, shifts, runs, scores and sweeps, as plain numbers.

A view reads artifacts and returns a small frozen dataclass; figures, the report and notebooks draw it, each in its own
way. Nothing here draws.
"""
