"""Sums of float64 numbers that are rounded once, like those of `math.fsum`, many at a time.

What an addition rounds away is a float64 number too, and is found by five more (Knuth, The art of computer programming,
vol. 2, 4.2.2). So terms are turned into their sum in float64 and what it lost, and that again (Ogita, Rump, Oishi,
Accurate sum and dot product, SISC 2005); mostly nothing is left then.
"""

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

TERMS = 2**15  # to sum at a time, so that they stay in a core's cache


def rounded_sums(terms_tp: Numbers) -> Numbers:
    """(p,) the sums of terms ``(t, p)``, at least two, rounded once: to the nearest, of two the even one."""
    first_p, rest_tp = _summed(terms_tp)
    second_p, rest_tp = _summed(rest_tp)
    most_p = 2 * np.abs(rest_tp).sum(axis=0)  # that the rest is, with room for what this sum loses
    sum_p, lost_p = _added(first_p, second_p)
    low_p, high_p = np.nextafter(lost_p - most_p, -np.inf), np.nextafter(lost_p + most_p, np.inf)
    is_sure = (most_p == 0) | (sum_p + low_p == sum_p + high_p)
    for pair in np.flatnonzero(~is_sure):  # about half way between two numbers
        sum_p[pair] = math.fsum([first_p[pair], second_p[pair], *rest_tp[:, pair].tolist()])
    return sum_p


def expansions(terms_tp: Numbers) -> Numbers:
    """(m, p) as few terms as there need be that have the same sums as ``(t, p)``, exactly; 0 where fewer do."""
    found = []
    while terms_tp.any():
        sum_p, terms_tp = _summed(terms_tp)
        found.append(sum_p)
    return np.array(found).reshape(-1, terms_tp.shape[1])


def _summed(terms_tp: Numbers) -> tuple[Numbers, Numbers]:
    """The sums ``(p,)`` of terms in float64, and what they lost ``(t - 1, p)``: with it they are exact."""
    terms_tp, left = terms_tp.copy(), len(terms_tp)
    while left > 1:
        half = left // 2
        ends = slice(half), slice(left - half, left)
        terms_tp[ends[0]], terms_tp[ends[1]] = _added(terms_tp[ends[0]], terms_tp[ends[1]])
        left -= half
    return terms_tp[0], terms_tp[1:]


def _added(one: Numbers, other: Numbers) -> tuple[Numbers, Numbers]:
    """Sums, and what they lost."""
    total = one + other
    of_other = total - one
    return total, (one - (total - of_other)) + (other - of_other)
