"""What a target's writer says of what it wrote."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Written:
    """A written target.

    Attributes:
        library: The library that loads it, as model hubs name it.
        usage: Python code that loads it and encodes with it, run from the folder above.
        notes: What a user should know that isn't as they may expect, a sentence each.
        figures: For the summary.
    """

    library: str
    usage: str
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
