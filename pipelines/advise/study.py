"""Clusterings with several k and seeds, measured one by one and against one another."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.advise.choice import MOST, WANTED, candidate, choose
from pipelines.advise.clusterings import Clusterings
from pipelines.advise.settings import DEFAULT_KS, Settings
from pipelines.advise.stability import Spread, agreements, disjoint_pairs, size_gini
from pipelines.artifacts import ADVICE
from pipelines.artifacts.needs import announce
from pipelines.blas import one_blas_thread
from pipelines.cluster.clustering import fitted_sizes
from pipelines.errors import InputError
from pipelines.progress import Progress

Tell = Callable[[str], None]
_OF_CLUSTERINGS = ("adjusted_rand", "gini", "silhouette")
_OF_SHIFTS = ("rank_correlation", "correlation", "changed_thirds")
SCHEMA = pa.schema(list(ADVICE.columns.items()))


def study(runs: Clusterings, settings: Settings, progress: Progress, tell: Tell) -> dict[str, Any]:
    """Make the clusterings and measure them; see `pipelines.advise.advise` for what is returned."""
    options = {**runs.values, "k": max(settings.ks or DEFAULT_KS)}
    announce(progress.note, runs.subject.needs(options, settings.seeds), runs.scratch)
    ks = _possible(runs, settings)
    seeds = range(settings.seeds)
    fitted = np.flatnonzero(runs.fitted.fitted_n)
    silhouettes = _Silhouettes(runs, fitted, settings.sample)
    tell(
        f"{len(ks) * len(seeds)} clusterings of {len(fitted):,} samples: k {', '.join(map(str, ks))}, "
        f"{len(seeds)} seeds each"
    )
    clusterings, shifts, candidates = [], [], []
    with progress.task("clustering", sum(ks) * len(seeds), "clusters") as task:
        for k in ks:
            found = []
            for seed, cluster_n in zip(seeds, runs.clusters(k, seeds), strict=True):
                found.append(cluster_n)
                task.advance(k, note=f"k {k}, seed {seed}")
            sizes = np.stack([fitted_sizes(cluster_n, np.ones(len(fitted), dtype=np.bool_)) for cluster_n in found])
            gini = Spread.of([size_gini(cluster_n) for cluster_n in found])
            clusterings.append(
                {
                    "k": k,
                    "adjusted_rand": asdict(_adjusted_rand(found)),
                    "gini": asdict(gini),
                    "silhouette": silhouettes.of(found),
                }
            )
            compared = agreements(sizes, settings.rule)
            shifts += [{"k": k, **asdict(each)} for each in compared]
            candidates.append(candidate(k, gini.value, compared))
    return {
        "rows": len(fitted),
        "k": list(ks),
        "seeds": settings.seeds,
        "rule": settings.rule,
        "silhouette_sample": len(silhouettes.samples),
        "clusterings": clusterings,
        "shifts": shifts,
        "wanted": WANTED,
        "most": MOST,
        "candidates": [asdict(each) | {"has_tail": each.has_tail} for each in candidates],
        "advice": asdict(best := choose(candidates)) | {"has_tail": best.has_tail},
    }


def table(found: dict[str, Any]) -> pa.Table:
    """What `study` found, a row for each k and number of clusterings averaged; figures of single ones in the first."""
    of_k = {each["k"]: each for each in found["clusterings"]}
    rows = []
    for shift in found["shifts"]:
        figures = {name: shift[name] for name in _OF_SHIFTS}
        if shift["averaged"] == 1:
            figures |= {name: of_k[shift["k"]][name] for name in _OF_CLUSTERINGS}
        row = {name: shift[name] for name in ("k", "averaged", "pairs")}
        for name, figure in figures.items():
            if figure is not None:
                row |= {name: figure["value"], f"{name}_low": figure["low"], f"{name}_high": figure["high"]}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _possible(runs: Clusterings, settings: Settings) -> tuple[int, ...]:
    """The k to try, in order.

    Raises:
        InputError: There are fewer distinct vectors than the largest that was asked for, or than the defaults take.
    """
    source = runs.subject.source
    if settings.ks is not None:
        ks = tuple(sorted(set(settings.ks)))
        if (distinct := runs.distinct(ks[-1])) < ks[-1]:
            raise InputError(f"k {ks[-1]}: {source} has only {distinct} distinct vectors to fit on; leave out larger k")
        return ks
    distinct = runs.distinct(2 * DEFAULT_KS[-1])
    ks = tuple(k for k in DEFAULT_KS if 2 * k <= distinct)
    if not ks:
        raise InputError(
            f"{source}: has only {distinct} distinct vectors to fit on, too few for k {DEFAULT_KS[0]}; give smaller k "
            "with --k"
        )
    return ks


def _adjusted_rand(found: list[NDArray[np.int64]]) -> Spread:
    """The adjusted Rand index between clusterings."""
    from sklearn.metrics import adjusted_rand_score

    pairs = disjoint_pairs(len(found), 1)
    return Spread.of([float(adjusted_rand_score(found[one], found[other])) for (one,), (other,) in pairs])


class _Silhouettes:
    """Silhouettes by cosine distance on some of the fitted samples, whose distances are computed once."""

    def __init__(self, runs: Clusterings, fitted: NDArray[np.int64], most: int) -> None:
        from sklearn.metrics import pairwise_distances

        rng = np.random.default_rng(0)
        self.samples = np.sort(rng.choice(len(fitted), size=min(most, len(fitted)), replace=False))
        with one_blas_thread():  # several would round in another order
            self._distance_ss = pairwise_distances(runs.vectors(fitted[self.samples]), metric="cosine")
        np.fill_diagonal(self._distance_ss, 0)

    def of(self, found: list[NDArray[np.int64]]) -> dict[str, float] | None:
        """Their mean silhouette in each clustering; None where one has them in one cluster, or each in its own."""
        from sklearn.metrics import silhouette_score

        scores = []
        for cluster_n in found:
            cluster_s = cluster_n[self.samples]
            if not 2 <= len(np.unique(cluster_s)) < len(cluster_s):
                return None
            scores.append(float(silhouette_score(self._distance_ss, cluster_s, metric="precomputed")))
        return asdict(Spread.of(scores))
