"""Which pairs of a batch belong together beyond the diagonal: captions of one image, repeats of one sentence."""

import torch
from torch import Tensor


class Relations:
    """Related pairs of a batch of m pairs, from a group id per side.

    Media i and text j are related if rows i and j share their media group (two captions of one image) or their text
    group (two clips with one sentence). Every row is related to itself. The relation is symmetric but, with
    both sides given, need not be transitive.

    Args:
        media_group_m: Integer group id of each row's medium ``[m]``, or ``None``.
        text_group_m: Integer group id of each row's text ``[m]``, or ``None``.
    """

    def __init__(self, media_group_m: Tensor | None, text_group_m: Tensor | None) -> None:
        self._groups_m = [
            torch.unique(group_m, return_inverse=True)[1]
            for group_m in (media_group_m, text_group_m)
            if group_m is not None
        ]
        # |A or B| = |A| + |B| - |A and B|: with the groups of both sides and their joint groups, sums over related
        # rows need no m x m matrix.
        self._signed_groups_m = [(group_m, 1) for group_m in self._groups_m]
        if len(self._groups_m) == 2:
            first_m, second_m = self._groups_m
            joint_m = torch.unique(first_m * (int(second_m.max()) + 1) + second_m, return_inverse=True)[1]
            self._signed_groups_m.append((joint_m, -1))

    @property
    def count_m(self) -> Tensor:
        """Number of rows related to each row, itself included ``[m]``, int64."""
        ones_m1 = torch.ones_like(self._groups_m[0])[:, None]
        return self.sum(ones_m1)[:, 0]

    def sum(self, value_md: Tensor) -> Tensor:
        """Return for each row the sum of ``value_md`` over the rows related to it ``[m, d]``; differentiable."""
        total_md = torch.zeros_like(value_md)
        for group_m, sign in self._signed_groups_m:
            pooled_gd = value_md.new_zeros(int(group_m.max()) + 1, value_md.shape[1])
            total_md = total_md + sign * pooled_gd.index_add(0, group_m, value_md)[group_m]
        return total_md

    def mask(self, rows: slice, columns: slice) -> Tensor:
        """Return the tile ``[rows, columns]`` of the relation, boolean."""
        tiles_rc = [group_m[rows, None] == group_m[None, columns] for group_m in self._groups_m]
        return tiles_rc[0] if len(tiles_rc) == 1 else torch.logical_or(*tiles_rc)
