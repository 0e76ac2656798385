"""Entry point of ``shifts``."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import SHIFTS, StagePlan, StageResult, align, has_noise, read_clusters
from pipelines.artifacts.needs import Need, announce, extent_of
from pipelines.artifacts.writers import one_writer
from pipelines.contrast.shift_range import dial
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.remote import located

DEFAULT_LEVEL = 0.1
_HISTOGRAM_BINS = 10
_BASE, _PER_ROW, _PER_ID_BYTE = 0.4 * 2**30, 130, 4  # bytes, measured by benchmarks/scale.py
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)  # that files hold


@one_writer
def shifts(
    clusters: Sequence[Path | str] | Path | str,
    output: Path | str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    tail: float | None = None,
    level: float | None = None,
    rule: str = "linear",
    force: bool = False,
    progress: Progress = SILENT,
) -> StageResult:
    """Turn cluster sizes into a shift for each sample, in a range given by ``minimum`` and ``maximum`` or by ``tail``.

    Several clusterings (such as k-means with several seeds) each give a shift, and a sample gets their mean: a single
    clustering is unstable, see the README. A sample in no cluster (noise) has size 1, however many there are.

    Args:
        clusters: One or more clusters files of the same samples.
        output: Shifts file to write: ``sample_id``, ``shift``, ``cluster_size`` (mean over the clusterings, rounded).
        minimum: Shift of the smallest cluster, above 0, in units of temperature (or margin).
        maximum: Shift of the largest cluster, no smaller.
        tail: How far, and in which direction, frequency moves the shifts around ``level``, see
            `pipelines.contrast.dial`. From -1 to 1: above 0 shifts rise with cluster size, below 0 they fall, and at 0
            all are ``level``.
        level: The shift that ``tail`` is around; by default 0.1.
        rule: ``linear`` (the paper's), ``log`` or ``rank``, see `pipelines.contrast.cluster_shifts`.
        force: Write the output even if it is up to date, or was not written by mmts.
        progress: Is told what memory will be needed, where that is much.

    Raises:
        InputError: A file or option can't be used, or the files are of different samples.
    """
    paths = [located(path) for path in ([clusters] if isinstance(clusters, (str, Path)) else clusters)]
    output = located(output)
    parameters, (of_smallest, of_largest) = _range(minimum, maximum, tail, level)
    low, high = sorted((of_smallest, of_largest))
    if not _SMALLEST <= low <= high <= _LARGEST:
        raise InputError(f"shifts of {low:g} .. {high:g} are more or less than a float32 holds; give numbers like 0.1")
    if of_smallest == of_largest and rule != "linear":
        reason = "--min and --max are equal" if tail is None else f"--tail is {tail:g}"
        raise InputError(f"--rule {rule}: has no effect where {reason}; leave it out")
    if not paths:
        raise InputError("no clusters files given; make one with `mmts cluster`")
    plan = StagePlan(
        "shifts",
        output,
        {**parameters, "rule": rule},
        {"clusters" if len(paths) == 1 else f"clusters {n}": path for n, path in enumerate(paths, start=1)},
        libraries=("torch", "pyarrow"),
        # 2: noise counts as rare. Other shifts are what they were, so runs trained with them stay up to date.
        results=2 if any(has_noise(path) for path in paths) else 1,
    )
    if done := plan.finished(force=force):
        return done
    extent = extent_of(paths[0])
    need = Need(_BASE + _PER_ROW * extent.rows + _PER_ID_BYTE * extent.id_bytes)
    announce(progress.note, need, output.parent)
    ids: pa.ChunkedArray | None = None
    shift_sum: NDArray[np.float64] | float = 0.0
    size_sum: NDArray[np.float64] | float = 0.0
    for path in paths:
        table = read_clusters(path)
        if ids is None:
            ids = table.column("sample_id")
        rows = align(ids, table.column("sample_id"), what=f"samples of {paths[0]}", path=path)
        if table.num_rows > len(ids):
            align(table.column("sample_id"), ids, what=f"samples of {path}", path=paths[0])
        size_n = table.column("cluster_size").to_numpy()[rows].astype(np.float64)
        size_sum = size_sum + size_n
        shift_sum = shift_sum + _shift(size_n, of_smallest, of_largest, rule)
    shift_n = np.clip(shift_sum / len(paths), low, high)  # a mean's rounding would leave the range
    mean_size_n = np.asarray(size_sum / len(paths))
    schema = pa.schema([(name, SHIFTS.columns[name]) for name in ("sample_id", "shift", "cluster_size")])
    table = pa.table(
        {
            "sample_id": ids,
            "shift": shift_n.astype(np.float32),
            "cluster_size": np.rint(mean_size_n).astype(np.int64),
        },
        schema=schema,
    )
    with plan.writer(schema) as writer:
        writer.summary = _summary(shift_n, len(paths), low, high)
        writer.write(table)
    return StageResult(output, False, writer.summary)


def _range(
    minimum: float | None, maximum: float | None, tail: float | None, level: float | None
) -> tuple[dict[str, float], tuple[float, float]]:
    """The range as it was given, which is recorded, and as the shifts of the smallest and the largest cluster."""
    if tail is not None:
        if minimum is not None or maximum is not None:
            raise InputError("--tail sets the range by itself; give either --tail, or --min and --max")
        level = DEFAULT_LEVEL if level is None else level
        return {"tail": tail, "level": level}, dial(level, tail)
    if level is not None:
        raise InputError(f"--level {level:g}: has no effect without --tail; leave it out")
    if minimum is None or maximum is None:
        raise InputError("the range of the shifts is missing; give --tail, or both --min and --max")
    if not math.isfinite(minimum) or not math.isfinite(maximum):
        raise InputError(f"--min {minimum} --max {maximum}: expected finite numbers")
    if minimum <= 0:
        raise InputError(f"--min {minimum:g}: temperatures and margins must stay positive; give a number above 0")
    if minimum > maximum:
        raise InputError(
            f"the smallest shift {minimum} is above the largest {maximum}; swap them, or give a --tail below 0 for "
            "shifts that fall with cluster size"
        )
    return {"minimum": minimum, "maximum": maximum}, (minimum, maximum)


def _shift(size_n: NDArray[np.float64], of_smallest: float, of_largest: float, rule: str) -> NDArray[np.float64]:
    from pipelines.contrast.shifts import cluster_shifts

    shift_n: NDArray[np.float64] = cluster_shifts(size_n, of_smallest, of_largest, rule).numpy()  # type: ignore[arg-type]  # it checks the rule
    return shift_n


def _summary(shift_n: NDArray[np.float64], clusterings: int, low: float, high: float) -> dict[str, object]:
    if np.float32(low) < np.float32(high):
        counts, edges = np.histogram(shift_n, bins=_HISTOGRAM_BINS, range=(low, high))
    else:
        counts, edges = np.array([len(shift_n)]), np.array([low, high])
    return {
        "rows": len(shift_n),
        "clusterings": clusterings,
        "shift_min": float(shift_n.min()),
        "shift_mean": float(shift_n.mean()),
        "shift_max": float(shift_n.max()),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
