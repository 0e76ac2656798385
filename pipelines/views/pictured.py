"""Views that a notebook shows as their figures."""

from dataclasses import fields
from typing import Any


class Pictured:
    """A dataclass that is a view with a figure in `pipelines.plot`."""

    def __repr__(self) -> str:
        """``Tail(gini=0.34)``: its numbers and names, without arrays."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        shown = {name: f"{value:.4g}" for name, value in values.items() if isinstance(value, (int, float))}
        shown |= {name: value for name, value in values.items() if isinstance(value, str)}
        return f"{type(self).__name__}({', '.join(f'{name}={shown[name]}' for name in values if name in shown)})"

    def _repr_png_(self) -> bytes:
        """As notebooks show it."""
        from pipelines.plot.notebook import png_of  # nothing here draws, nor waits for matplotlib before that is wanted

        return png_of(self)
