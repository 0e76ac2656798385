"""Words that several outputs share."""


def counted(count: int, noun: str) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
