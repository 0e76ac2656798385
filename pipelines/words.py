"""Words that several outputs share."""


def counted(count: int, noun: str) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def written(output: object, *, up_to_date: bool) -> str:
    """``clusters.parquet: written``, the first line of what made a file or found it made."""
    return f"{output}: {'up to date' if up_to_date else 'written'}"
