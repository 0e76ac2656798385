"""Pictures: the long tail of cluster sizes with the shift of each, and the temperature band over a run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.artifacts import noise_apart, read_clusters, read_shifts, refuse_replacing_inputs
from pipelines.artifacts.files import replacing, require_writable
from pipelines.errors import InputError
from pipelines.report.band import Band

_COLORS = {"head": "#c44e52", "middle": "#8172b3", "tail": "#4c72b0"}
_FORMATS = (".png", ".svg", ".pdf")


def picture_clusters(clusters: Path | str, shifts: Path | str, output: Path | str) -> Path:
    """Draw the size of each cluster, largest first, and the mean shift of its samples.

    Args:
        clusters: Clusters file.
        shifts: Shifts file of the same samples.
        output: Picture to write; its suffix (.png, .svg, .pdf) says the format.

    Raises:
        InputError: A file can't be read or written, or samples are missing.
    """
    clusters, output = Path(clusters), Path(output)
    require_picture(output, [clusters, Path(shifts)])
    table = read_clusters(clusters)
    shift_n = read_shifts(Path(shifts), table.column("sample_id")).shift_n
    cluster_n = noise_apart(table.column("cluster").to_numpy())
    names, first, inverse = np.unique(cluster_n, return_index=True, return_inverse=True)
    size_k = table.column("cluster_size").to_numpy()[first]
    shift_k = np.bincount(inverse, shift_n) / np.bincount(inverse)
    order = np.argsort(-size_k, kind="stable")

    figure, axis = new_figure(f"{len(names)} clusters of {clusters.name}, largest first")
    place = np.arange(1, len(order) + 1)
    axis.bar(place, size_k[order], width=1.0, color="#b8c4d6", label="training samples")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set(xlabel="cluster, by size", ylabel="training samples in the cluster")
    right = axis.twinx()
    right.plot(place, shift_k[order], ".", color=_COLORS["head"], label="shift (mean of its samples)")
    right.set_ylabel("shift")
    right.spines["top"].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False)  # shifts lie anywhere: they may rise or fall
    return save_figure(figure, output)


def picture_band(band: Band, output: Path | str, *, quantity: str = "temperature") -> Path:
    """Draw the temperatures, or margins, of head, middle and tail samples over the steps of a run.

    Args:
        band: What ``plan_band`` returns.
        output: Picture to write; its suffix (.png, .svg, .pdf) says the format.
        quantity: ``temperature`` or ``margin``.

    Raises:
        InputError: The picture can't be written.
    """
    output = Path(output)
    require_picture(output)
    figure, axis = new_figure(f"{quantity} of each third of the samples over the run")
    for line in reversed(band.lines):
        if line.name == "all" or line.cluster_sizes is None:
            continue
        low, high = line.cluster_sizes
        label = f"{line.name}: clusters of {low:g} to {high:g}"
        axis.plot(line.steps, line.mean, color=_COLORS[line.name], label=label)
        axis.fill_between(line.steps, line.minimum, line.maximum, color=_COLORS[line.name], alpha=0.15, linewidth=0)
    axis.set(xlabel="step", ylabel=f"{quantity} (line: mean, band: min to max)")
    axis.legend(loc="upper right", frameon=False)
    axis.set_ylim(0, band.highest * 1.35)
    return save_figure(figure, output)


def require_picture(output: Path, inputs: Iterable[Path] = ()) -> None:
    """Check where a picture is to be written, before the work that it shows.

    Raises:
        InputError: The suffix is no picture format's, the picture would replace one of ``inputs``, or can't be written.
    """
    if output.suffix.lower() not in _FORMATS:
        raise InputError(f"{output}: not a picture format; end the name in {', '.join(_FORMATS)}")
    refuse_replacing_inputs(output, inputs)
    require_writable(output)


def new_figure(title: str) -> tuple[Any, Any]:
    """A figure and its one axis, as all pictures have them."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    axis.set_title(title, loc="left", fontsize=11)
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def save_figure(figure: Any, output: Path) -> Path:
    """Write a figure whole or not at all, in the format that the suffix says, and close it."""
    from matplotlib import pyplot

    with replacing(output) as temporary:
        figure.savefig(temporary, dpi=150, format=output.suffix.lower().lstrip("."))
    pyplot.close(figure)
    return output
