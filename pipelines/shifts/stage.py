"""Entry point of ``shifts``."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import SHIFTS, StagePlan, StageResult, align, has_noise, read_clusters
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError

_HISTOGRAM_BINS = 10


@one_writer
def shifts(
    clusters: Sequence[Path | str] | Path | str,
    output: Path | str,
    *,
    minimum: float,
    maximum: float,
    rule: str = "linear",
    force: bool = False,
) -> StageResult:
    """Turn cluster sizes into a shift for each sample.

    Several clusterings (such as k-means with several seeds) each give a shift, and a sample gets their mean: a single
    clustering is unstable, see the README. A sample in no cluster (noise) has size 1, however many there are.

    Args:
        clusters: One or more clusters files of the same samples.
        output: Shifts file to write: ``sample_id``, ``shift``, ``cluster_size`` (mean over the clusterings, rounded).
        minimum: Shift of the smallest cluster, above 0, in units of temperature (or margin).
        maximum: Shift of the largest cluster.
        rule: ``linear`` (the paper's), ``log`` or ``rank``, see `pipelines.contrast.cluster_shifts`.
        force: Write the output even if it is up to date, or was not written by mmts.

    Raises:
        InputError: A file or option can't be used, or the files are of different samples.
    """
    paths = [Path(path) for path in ([clusters] if isinstance(clusters, (str, Path)) else clusters)]
    output = Path(output)
    if not math.isfinite(minimum) or not math.isfinite(maximum):
        raise InputError(f"--min {minimum} --max {maximum}: expected finite numbers")
    if minimum <= 0:
        raise InputError(f"--min {minimum:g}: temperatures and margins must stay positive; give a number above 0")
    if minimum == maximum and rule != "linear":
        raise InputError(f"--rule {rule}: has no effect where --min and --max are equal; leave it out")
    if not paths:
        raise InputError("no clusters files given; make one with `mmts cluster`")
    plan = StagePlan(
        "shifts",
        output,
        {"minimum": minimum, "maximum": maximum, "rule": rule},
        {"clusters" if len(paths) == 1 else f"clusters {n}": path for n, path in enumerate(paths, start=1)},
        libraries=("torch", "pyarrow"),
        # 2: noise counts as rare. Other shifts are what they were, so runs trained with them stay up to date.
        results=2 if any(has_noise(path) for path in paths) else 1,
    )
    if done := plan.finished(force=force):
        return done
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
        shift_sum = shift_sum + _shift(size_n, minimum, maximum, rule)
    shift_n = np.asarray(shift_sum / len(paths))
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
        writer.summary = _summary(shift_n, len(paths), minimum, maximum)
        writer.write(table)
    return StageResult(output, False, writer.summary)


def _shift(size_n: NDArray[np.float64], minimum: float, maximum: float, rule: str) -> NDArray[np.float64]:
    from pipelines.contrast.shifts import cluster_shifts

    shift_n: NDArray[np.float64] = cluster_shifts(size_n, minimum, maximum, rule).numpy()  # type: ignore[arg-type]  # it checks the rule
    return shift_n


def _summary(shift_n: NDArray[np.float64], clusterings: int, minimum: float, maximum: float) -> dict[str, object]:
    counts, edges = np.histogram(shift_n, bins=_HISTOGRAM_BINS, range=(minimum, maximum) if maximum > minimum else None)
    return {
        "rows": len(shift_n),
        "clusterings": clusterings,
        "shift_min": float(shift_n.min()),
        "shift_mean": float(shift_n.mean()),
        "shift_max": float(shift_n.max()),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
