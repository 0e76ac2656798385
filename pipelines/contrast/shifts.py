"""Shifts: how much a cluster's size adds to the temperature or margin of its samples."""

import math
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from pipelines.errors import InputError

ShiftRule = Literal["linear", "log", "rank"]

# Numpy arrays are welcome without numpy being needed: torch.as_tensor reads them.
Sizes = Sequence[float] | Tensor | Any


def cluster_shifts(
    cluster_size: Sizes,
    of_smallest: float,
    of_largest: float,
    rule: ShiftRule = "linear",
    *,
    reference: Sizes | None = None,
) -> Tensor:
    """Return the shift of each sample (or cluster) from the size of its cluster.

    With n the size, and n_min and n_max the smallest and largest cluster training has::

        linear   of_smallest + (of_largest - of_smallest) * (n - n_min) / (n_max - n_min)
        log      the same with log n for n
        rank     the same with the rank of n among the distinct sizes, from 0

    ``linear`` is MM-TS's (arXiv 2603.08202); the others spread heavy-tailed sizes, most of which ``linear`` leaves at
    the shift of the smallest. Giving each sample's size, or each cluster's once, makes no difference.

    Shifts rise with size where ``of_largest`` is the larger of the two, as in MM-TS, and fall where it is the smaller.
    `dial` gives both from a level and a direction.

    A size 0 is a cluster training never saw. It takes no part in n_min, and gets ``of_smallest``: what is unseen is
    treated as the rarest. Likewise sizes beyond n_max, possible with ``reference``, get ``of_largest``.
    A size between two of the reference has, under ``rank``, the rank of the lower one.

    Args:
        cluster_size: Size of each sample's cluster in the training data ``[n]``; may be a mean of several clusterings.
        of_smallest: Shift of the smallest cluster.
        of_largest: Shift of the largest cluster.
        rule: How sizes between them are placed.
        reference: Sizes that n_min, n_max and the ranks are taken from, if other than ``cluster_size``: those of
            the training samples, where test samples are among the rows.

    Returns:
        Shifts ``[n]``, float64, in units of temperature. Where all sizes are one, the middle of the range; a
        warning says so.

    Raises:
        InputError: A size is negative or not finite, none is positive, the range is not finite, or the rule is
            unknown.
    """
    if not (math.isfinite(of_smallest) and math.isfinite(of_largest)):
        raise InputError(f"the range of shifts is {of_smallest} .. {of_largest}; give finite numbers")
    if rule not in ("linear", "log", "rank"):
        raise InputError(f"shift rule {rule!r} is unknown; choose 'linear', 'log' or 'rank'")
    size_n = _sizes(cluster_size)
    known = _sizes(reference) if reference is not None else size_n
    known = known[known > 0]
    if len(known) == 0:
        raise InputError("no cluster has a training sample; give the sizes of the training data's clusters")
    smallest, largest = known.min(), known.max()
    size_n = size_n.clamp(smallest, largest)
    if smallest == largest:
        warnings.warn(
            f"all clusters have {smallest:g} samples, so every sample gets the middle of the range "
            f"{of_smallest:g} .. {of_largest:g}; more or other clusters would tell samples apart",
            stacklevel=2,
        )
        return torch.full_like(size_n, (of_smallest + of_largest) / 2)
    if rule == "log":
        size_n, smallest, largest = size_n.log(), smallest.log(), largest.log()
    elif rule == "rank":
        distinct = torch.unique(known)
        size_n = (torch.searchsorted(distinct, size_n, right=True) - 1).double()
        smallest, largest = size_n.new_tensor(0.0), size_n.new_tensor(len(distinct) - 1.0)
    place_n = (size_n - smallest) / (largest - smallest)
    # Written and clamped so that the ends of the range are met exactly and rounding leaves it nowhere.
    shift_n = of_smallest * (1 - place_n) + of_largest * place_n
    return shift_n.clamp(min(of_smallest, of_largest), max(of_smallest, of_largest))


def _sizes(values: Sizes) -> Tensor:
    size_n = torch.as_tensor(values).to(torch.float64)
    if size_n.ndim != 1 or len(size_n) == 0:
        raise InputError(f"cluster sizes have shape {tuple(size_n.shape)}; give one size per sample")
    if not bool(((size_n >= 0) & size_n.isfinite()).all()):
        row = int(((size_n < 0) | ~size_n.isfinite()).nonzero()[0])
        raise InputError(f"the cluster size in row {row} is {float(size_n[row]):g}; sizes are 0 or more")
    return size_n
