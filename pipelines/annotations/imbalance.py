"""A long-tailed training set out of a more even one: classes are cut down to sizes that follow a profile."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.annotations.checks import ROW, Checks
from pipelines.annotations.columns import occurrence, require_column
from pipelines.artifacts import NOISE, align, gini, noise_apart, read_clusters, rows_of_split, shortened, with_media_ids
from pipelines.artifacts.files import nearest
from pipelines.errors import InputError
from pipelines.remote import located

TRAIN = "train"
CLUSTER = "cluster"  # the column that holds each row's cluster, where classes are clusters
_PARETO_POWER = 6
_TOLD = 0.05  # how far, as a share, the ratio reached may lie from the one asked for without a word
_SLOP = 1e-9  # 100 * 50 ** -1 is 2, whatever the last bit of the float says


def exponential(place_c: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """``R^-p``: CIFAR-LT's profile.

    Source: Cui et al., Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019 (arXiv 1901.05555).
    """
    share_c: NDArray[np.float64] = ratio**-place_c
    return share_c


def zipf(place_c: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """``rank^-s`` with ranks from 1 to C, and the exponent ``s = log R / log C`` that makes the last share ``1/R``.

    Source: Zipf's law (Zipf, Human Behavior and the Principle of Least Effort, 1949).
    """
    rank_c = 1 + place_c * (len(place_c) - 1)
    share_c: NDArray[np.float64] = rank_c ** (-math.log(ratio) / math.log(len(place_c)))
    return share_c


def pareto(place_c: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """``x^-7`` at even steps from ``x = 1`` to ``x = R^(1/7)``: the density of a Pareto distribution of power 6.

    The same numbers are the quantiles of a Pareto distribution of class sizes, of shape 1/7, truncated to ``[1/R, 1]``.

    Source: ImageNet-LT follows a Pareto distribution of power 6 (Liu et al., Large-Scale Long-Tailed Recognition in an
    Open World, CVPR 2019, arXiv 1904.05160); the paper has no formula, and this one is our reading of it.
    """
    exponent = _PARETO_POWER + 1
    share_c: NDArray[np.float64] = (1 + place_c * (ratio ** (1 / exponent) - 1)) ** -exponent
    return share_c


# Of each class its size as a share of the largest: from its place p (0 the largest, 1 the smallest) and the ratio R.
# All fall from 1 to 1/R, and nowhere rise with R, so that a subset for a larger ratio lies within one for a smaller.
PROFILES: dict[str, Callable[[NDArray[np.float64], float], NDArray[np.float64]]] = {
    "exp": exponential,
    "zipf": zipf,
    "pareto": pareto,
}


def wanted_sizes(size_c: NDArray[np.int64], ratio: float, profile: str) -> NDArray[np.int64]:
    """The profile in media, rounded down as CIFAR-LT is, whatever the classes have; arguments as of `target_sizes`."""
    share_c = PROFILES[profile](np.linspace(0, 1, len(size_c)), ratio)
    wanted_c: NDArray[np.int64] = np.floor(size_c[0] * share_c + _SLOP).astype(np.int64)
    return wanted_c


def target_sizes(size_c: NDArray[np.int64], ratio: float, profile: str) -> NDArray[np.int64]:
    """How many media each class keeps.

    Args:
        size_c: Media of each class ``(C,)``, from the largest class to the smallest; C is 2 or more.
        ratio: Size of the largest class over that of the smallest, above 1.
        profile: A key of `PROFILES`.

    Returns:
        ``(C,)`` the largest class's size times the profile, rounded down; at least 1, at most what the class has.

    Examples:
        >>> target_sizes(np.full(10, 5000), 100, "exp")  # CIFAR-10-LT
        array([5000, 2997, 1796, 1077,  645,  387,  232,  139,   83,   50])
    """
    kept_c: NDArray[np.int64] = np.clip(wanted_sizes(size_c, ratio, profile), 1, size_c)
    return kept_c


@dataclass(frozen=True)
class Imbalance:
    """How the training split is made long-tailed.

    Classes are ranked by their own number of training media, classes of one size in a random order. Media are what is
    dropped, each with all its training captions; a medium is of the class of its first training caption. Which media
    stay depends on the seed, the classes and the media's ids alone, and what a larger ratio keeps is part of what a
    smaller one keeps. Rows of other splits stay as they are, and so do media in no cluster, which are rare already.
    Clusters are written into the column ``cluster``, so that their new sizes can be counted; a row in none has one of
    its own.

    Attributes:
        ratio: Size of the largest class over that of the smallest, above 1.
        by: Column of the annotations that holds the class, or a clusters file (``.parquet``).
        profile: A key of `PROFILES`.
        seed: Chooses the media that stay, and the order of classes of one size.

    Raises:
        InputError: The ratio is not above 1, or there is no such profile.
    """

    ratio: float
    by: str
    profile: str = "exp"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ratio and the profile."""
        if not 1 < self.ratio < math.inf:
            raise InputError(
                f"--imbalance {self.ratio:g}: must be above 1 (100 leaves the largest class 100 times the smallest)"
            )
        if self.profile not in PROFILES:
            near = nearest(self.profile, list(PROFILES))
            raise InputError(
                f"--profile {shortened(self.profile)}: no such profile{near} (known: {', '.join(PROFILES)})"
            )

    @property
    def clusters(self) -> Path | None:
        """The clusters file, if classes are clusters."""
        return located(self.by) if self.by.endswith(".parquet") else None

    @property
    def inputs(self) -> dict[str, Path]:
        """Input files by role, for a `StagePlan`."""
        return {} if self.clusters is None else {"clusters": self.clusters}

    @property
    def parameters(self) -> dict[str, Any]:
        """What shapes the output besides the inputs, for a `StagePlan`."""
        by = self.by if self.clusters is None else "clusters"
        return {"imbalance": {"ratio": self.ratio, "profile": self.profile, "by": by, "seed": self.seed}}

    def cut(self, annotations: pa.Table, path: Path, checks: Checks) -> tuple[pa.Table, dict[str, Any]]:
        """The annotations with their training rows cut, and figures of it; notes where a ratio is out of reach.

        Args:
            annotations: Whole; without the column ``split`` all rows are training rows.
            path: Where they came from, for messages.
            checks: Takes the note.

        Returns:
            Rows in their order, and ``profile``, ``by``, ``asked``, ``ratio`` (reached), ``classes``, ``largest``,
            ``smallest``, ``gini``, and training rows and media before and after.

        Raises:
            InputError: No training rows, no such column, classes or clusters missing, or fewer than two.
        """
        cluster_n = None if self.clusters is None else self._cluster_of(annotations, self.clusters, path)
        rows = with_media_ids(annotations, path).append_column(ROW, pa.array(range(annotations.num_rows)))
        train = rows_of_split(rows, TRAIN, path)
        media, first, medium_n = np.unique(train.column("media_id").to_numpy(), return_index=True, return_inverse=True)
        if cluster_n is None:
            class_m = self._class_of(train, pa.array(first), path)
        else:
            class_m = cluster_n[train.column(ROW).to_numpy()[first]]
        order = np.random.default_rng(self.seed).permutation(len(media))
        order = order[class_m[order] != NOISE]
        # Numbered by first appearance in the random order, so that a stable sort leaves classes of one size random.
        names, appears, class_o = np.unique(class_m[order], return_index=True, return_inverse=True)
        if len(names) < 2:
            raise InputError(
                f"--by {shortened(self.by)}: the training rows of {path} are all of one class; needs two or more"
            )
        full_c = np.bincount(class_o)
        ranked = np.lexsort((appears, -full_c))
        target_c = np.empty_like(full_c)
        target_c[ranked] = target_sizes(full_c[ranked], self.ratio, self.profile)
        kept_m = class_m == NOISE
        kept_m[order] = np.array(occurrence(pa.array(class_o))) < target_c[class_o]
        dropped = train.column(ROW).to_numpy()[~kept_m[medium_n]]
        keep = np.ones(annotations.num_rows, dtype=bool)
        keep[dropped] = False
        figures = {
            "profile": self.profile,
            "by": self.by,
            "asked": self.ratio,
            "ratio": float(target_c.max() / target_c.min()),
            "classes": len(names),
            "largest": int(target_c.max()),
            "smallest": int(target_c.min()),
            "gini": gini(target_c),
            "rows_before": train.num_rows,
            "rows_after": train.num_rows - len(dropped),
            "media_before": len(media),
            "media_after": int(kept_m.sum()),
        }
        self._note_reach(full_c[ranked], figures["ratio"], checks)
        if cluster_n is not None:
            annotations = annotations.append_column(CLUSTER, pa.array(noise_apart(cluster_n), pa.int32()))
        return annotations.filter(pa.array(keep)), figures

    def _cluster_of(self, annotations: pa.Table, clusters: Path, path: Path) -> NDArray[np.int64]:
        """Cluster of each row ``(n,)``, NOISE for none."""
        if CLUSTER in annotations.column_names:
            raise InputError(f"{path}: has a column '{CLUSTER}' already, where those of {clusters} would go; rename it")
        table = read_clusters(clusters)
        found = align(annotations.column("sample_id"), table.column("sample_id"), what="samples", path=clusters)
        cluster_n: NDArray[np.int64] = table.column("cluster").to_numpy()[found].astype(np.int64)
        return np.maximum(cluster_n, NOISE)

    def _class_of(self, train: pa.Table, rows: pa.Array, path: Path) -> NDArray[np.int64]:
        """Class number of each of some rows ``(m,)``."""
        require_column(train, self.by, path)
        column = train.column(self.by).take(rows)
        if column.null_count:
            lacking = rows.filter(pc.is_null(column).combine_chunks())
            first = shortened(train.column("sample_id")[lacking[0].as_py()].as_py())
            missing = f"{column.null_count:,} training media have no {shortened(self.by)}, first: {first}"
            raise InputError(f"{path}: {missing}; --by needs the class of each")
        names = pa.array([str(value) for value in column.to_pylist()], pa.string())
        codes: NDArray[np.int64] = names.dictionary_encode().indices.to_numpy().astype(np.int64)
        return codes

    def _note_reach(self, size_c: NDArray[np.int64], reached: float, checks: Checks) -> None:
        """Note a ratio that is out of reach; sizes as in `target_sizes`."""
        short = int((size_c < wanted_sizes(size_c, self.ratio, self.profile)).sum())
        asked = f"--imbalance {self.ratio:g}: reached {reached:.4g}"
        if short:
            checks.notes.append(
                f"{asked}; {short:,} of {len(size_c):,} classes have fewer media than the profile asks for"
            )
        elif abs(reached / self.ratio - 1) > _TOLD:
            checks.notes.append(f"{asked}, as near as whole media come: the largest class has {size_c[0]:,}")
