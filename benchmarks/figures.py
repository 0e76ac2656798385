"""How benchmarks print what `benchmarks/table.py` collects: lines of what was measured, against what, and the ratio."""

MARK = "= "


def figure(what: str, against: str, ratio: float, unit: str = "times the time") -> None:
    """Print one figure; ``unit`` says what the ratio is of."""
    print(f"{MARK}{what} | {against} | {ratio:.3f} | {unit}", flush=True)
