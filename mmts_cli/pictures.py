"""What commands that draw a figure share."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mmts_cli.console import Output
    from pipelines.plot.style import Draw

PAGE = 17.0

PictureOption = Annotated[
    Path, typer.Option("--output", "-o", help="Picture to write: .png (300 dots an inch), .svg or .pdf.")
]
WidthOption = Annotated[
    float, typer.Option("--width", help="Width in cm: 17 for a page, 8.4 for a column; the height follows.")
]
TitleOption = Annotated[str, typer.Option("--title", help="Title above the figure (default: off).")]


def require_picture(output: Path, inputs: Iterable[Path | None], width: float) -> None:
    """Check where a picture is to be written before the work that it shows; inputs that weren't given are None."""
    from pipelines.plot.style import require_picture as require

    require(output, [path for path in inputs if path is not None], width=width)


def draw_picture(
    console: "Output", kind: str, output: Path, draw: "Draw", width: float, title: str, **said: str
) -> None:
    """Write the figure, and show that, with what a caption needs to say."""
    from pipelines.plot.style import write_picture

    write_picture(output, draw, width=width, title=title)
    console.result(
        {"command": f"plot {kind}", "output": str(output), **said},
        lambda: iter([f"{output}: written", *(f"{name}: {words}" for name, words in said.items())]),
    )
