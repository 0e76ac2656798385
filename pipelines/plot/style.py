"""How all figures look, and how one is written: sizes of papers, fonts in the file, colours that all can tell apart."""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from pipelines.artifacts import refuse_replacing_inputs
from pipelines.artifacts.files import replacing, require_writable
from pipelines.errors import InputError
from pipelines.plot.letters import fonts_with
from pipelines.remote import located

Draw = Callable[[Figure], None]

PAGE_WIDTH = 17.0  # cm; a column of two is about 8.4
WIDTHS = (5.0, 60.0)
_TWO_COLUMNS = 12.0  # cm; what is narrower has its panels one below the other
_CM = 1 / 2.54  # inches
_SCREEN_DOTS = 110  # an inch
_SYMBOL, _LETTER, _ROW = 1.6, 0.17, 0.42  # cm that a symbol with its gaps, a letter and a row take in a legend
_TOLD = 30  # missing letters
_FORMATS = (".png", ".svg", ".pdf")

# Okabe and Ito (2008): told apart by colour-blind readers too. Without black, and yellow, which is faint on white. In
# this order neighbours differ in lightness as well, and line styles and markers go with them, for print in grey.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")
THIRD_STYLES: dict[str, dict[str, Any]] = {
    "head": {"color": "#e69f00", "linestyle": "-."},
    "middle": {"color": "#009e73", "linestyle": "--"},
    "tail": {"color": "#0072b2", "linestyle": "-"},
}
# Behind words among points.
HALO: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}

_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.formatter.useoffset": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType, embedded: what publishers ask for
    "svg.fonttype": "path",
    "text.parse_math": False,  # names of folders may hold dollar signs
    "svg.hashsalt": "mmts",  # the same file each time
}


def write_picture(output: Path | str, draw: Draw, *, width: float = PAGE_WIDTH, title: str = "") -> Path:
    """Write a figure, whole or not at all, in the format that the suffix says.

    Args:
        output: File to write: .png (300 dots an inch), .svg or .pdf.
        draw: Draws on the empty figure, and sets its height.
        width: Width in cm.
        title: Title above the figure; papers have captions instead.

    Raises:
        InputError: The picture can't be written.
    """
    output = located(output)
    require_picture(output, width=width)
    format_ = output.suffix.lower().lstrip(".")
    undated: Any = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format_)
    with replacing(output) as temporary:
        temporary.write_bytes(_picture(draw, width, title, format=format_, metadata=undated))
    return output


def png(draw: Draw, *, width: float = PAGE_WIDTH) -> bytes:
    """A figure as a PNG file for the screen.

    Args:
        draw: Draws on the empty figure, and sets its height.
        width: Width in cm.
    """
    return _picture(draw, width, "", format="png", dpi=_SCREEN_DOTS)


def _picture(draw: Draw, width: float, title: str, **options: Any) -> bytes:
    """A figure as a file; where its font lacks letters, drawn once more with other fonts of the system."""
    with mpl.rc_context(_SETTINGS):
        picture, lacking = _saved(draw, width, title, options)
        if others := fonts_with(lacking):
            # As outlines, since not all of these fonts are TrueType.
            with mpl.rc_context({"font.family": [_SETTINGS["font.family"], *others], "pdf.fonttype": 3}):
                picture, lacking = _saved(draw, width, title, options)
    if lacking:
        shown = "".join(lacking)[:_TOLD]
        warnings.warn(f"no font here has these letters, which are drawn as boxes: {shown}", stacklevel=3)
    return picture


def _saved(draw: Draw, width: float, title: str, options: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """A figure as a file, and the letters that its fonts lack, of each of which matplotlib warns."""
    with warnings.catch_warnings(record=True) as caught, io.BytesIO() as file:
        warnings.simplefilter("always")
        figure = Figure(figsize=(width * _CM, width * _CM / 2), layout="constrained")
        draw(figure)
        if title:
            _put_title(figure, textwrap.fill(title, int(width / _LETTER)))
        figure.savefig(file, **options)
        picture = file.getvalue()
    lacking: dict[str, None] = {}
    for each in caught:
        found = re.match(r"Glyph (\d+) .* missing", str(each.message))
        if found is None:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        else:
            lacking[chr(int(found[1]))] = None
    return picture, list(lacking)


def require_picture(output: Path, inputs: Iterable[Path] = (), *, width: float = PAGE_WIDTH) -> None:
    """Check where a picture is to be written, and its width, before the work that it shows.

    Raises:
        InputError: The suffix is no picture format's, the width is out of range, the picture would replace one of
            ``inputs``, or can't be written.
    """
    if output.suffix.lower() not in _FORMATS:
        raise InputError(f"{output}: not a picture format; end the name in {', '.join(_FORMATS)}")
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise InputError(f"--width {width:g}: expected {WIDTHS[0]:g} to {WIDTHS[1]:g} (cm)")
    refuse_replacing_inputs(output, inputs)
    require_writable(output)


def set_height(figure: Figure, height: float) -> None:
    """Set the height of a figure as a share of its width."""
    figure.set_figheight(figure.get_figwidth() * height)


def is_narrow(figure: Figure) -> bool:
    """Whether a figure is for one column of two, and its panels go below each other."""
    return bool(figure.get_figwidth() < _TWO_COLUMNS * _CM)


def show_counts(axis: Axis, *, log: tuple[float, float] | None = None) -> None:
    """Have whole numbers with separated thousands on an axis.

    Args:
        axis: The axis.
        log: Smallest and largest number, where its scale is logarithmic.
    """
    if log is None:
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if log[1] < 100 * log[0] else (1.0,)))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def legend_above(figure: Figure, drawn: Mapping[str, Any]) -> None:
    """Say what is what above the figure, which grows by that, in as many columns as its width allows.

    Args:
        figure: The figure.
        drawn: What was drawn, by name; long names are cut in their middle.
    """
    width = figure.get_figwidth() / _CM
    names = [_cut(name, int((width - _SYMBOL) / _LETTER)) for name in drawn]
    columns = min(4, max(1, int(width / (_SYMBOL + _LETTER * max(map(len, names))))))
    figure.legend(list(drawn.values()), names, loc="outside upper left", ncols=columns)
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + rows * _ROW * _CM)


def _put_title(figure: Figure, title: str) -> None:
    """Put a title on top, above the legend where there is one: a layout keeps no room for both there."""
    if figure.legends:
        legend = figure.legends[0]
        legend.set_title(title)
        legend.set_alignment("left")
    else:
        figure.suptitle(title, x=0.01, ha="left", fontsize=mpl.rcParams["font.size"])
    figure.set_figheight(figure.get_figheight() + (1 + title.count("\n")) * _ROW * _CM)


def _cut(name: str, letters: int) -> str:
    """A name without its middle where it is too long: those of runs often differ at their end."""
    if len(name) <= letters:
        return name
    kept = (letters - 3) // 2
    return f"{name[:kept]}...{name[-kept:]}"


def line_style(number: int) -> dict[str, Any]:
    """Colour, line and marker of the n-th of several things, from 0."""
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }
