"""Views that a notebook shows as their figures."""


class Pictured:
    """A view with a figure in `pipelines.plot`."""

    def _repr_png_(self) -> bytes:
        """As notebooks show it."""
        from pipelines.plot.notebook import png_of  # nothing here draws, nor waits for matplotlib before that is wanted

        return png_of(self)
