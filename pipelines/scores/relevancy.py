"""Graded relevancy of media and texts, kept once per distinct kind of annotation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError
from pipelines.scores.similarity import IntArray

# uint16 codes index the distinct relevancies; a matrix with more of them than this is not graded but continuous.
MOST_GRADES = 2**12


@dataclass(frozen=True, eq=False)
class Relevancy:
    """Relevancy of n media (rows) and m texts (columns), ``grades[codes[row_key[i], column_key[j]]]``.

    Annotations repeat (the 9,668 clips of EK-100 have 1,979 distinct classes), so rows and columns point to distinct
    keys, and entries to distinct values.

    Attributes:
        grades: The distinct values, ascending, the first of them 0, float64.
        codes: Index into ``grades`` for each pair of distinct keys, uint16.
        row_key: Key of each row, shape ``(n,)``.
        column_key: Key of each column, shape ``(m,)``.
    """

    grades: NDArray[np.float64]
    codes: NDArray[np.uint16]
    row_key: IntArray
    column_key: IntArray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of media and of texts, ``(n, m)``."""
        return len(self.row_key), len(self.column_key)

    def rows(self, rows: slice | IntArray) -> NDArray[np.uint16]:
        """Codes of some rows, shape ``(b, m)``."""
        return self.codes[self.row_key[rows]].take(self.column_key, axis=1)

    def transposed(self) -> "Relevancy":
        """The same relevancy with texts as rows."""
        return Relevancy(self.grades, np.ascontiguousarray(self.codes.T), self.column_key, self.row_key)


def matrix_relevancy(relevancy_nm: NDArray[Any]) -> Relevancy:
    """Relevancy from a matrix of values in 0..1.

    Args:
        relevancy_nm: Relevancies of n media (rows) and m texts (columns).

    Raises:
        InputError: Values outside 0..1 or NaN, or more than 4,096 distinct ones.
    """
    if not ((relevancy_nm >= 0) & (relevancy_nm <= 1)).all():
        raise InputError("relevancies must be numbers from 0 to 1: check the relevancy matrix")
    grades, codes = np.unique(np.append(relevancy_nm.ravel(), 0.0), return_inverse=True)
    if len(grades) > MOST_GRADES:
        raise InputError(
            f"the relevancy matrix has {len(grades)} distinct values, at most {MOST_GRADES} are possible: round them"
        )
    codes_nm = codes[:-1].reshape(relevancy_nm.shape).astype(np.uint16)
    return Relevancy(grades.astype(np.float64), codes_nm, *(np.arange(count) for count in relevancy_nm.shape))


def class_relevancy(
    verb_class: Sequence[int] | NDArray[np.integer[Any]],
    noun_classes: Sequence[Collection[int]],
    text_media_index: NDArray[np.integer[Any]],
) -> Relevancy:
    """Relevancy of EPIC-KITCHENS-100: ``0.5 * [same verb class] + 0.5 * IoU of the sets of noun classes``.

    Args:
        verb_class: Verb class of each of the n clips.
        noun_classes: All noun classes of each clip (``all_noun_classes``).
        text_media_index: Row of the clip whose ``narration_id`` each of the m sentences carries, shape ``(m,)``; a
            sentence takes that clip's classes.

    Raises:
        InputError: A clip without noun classes, or columns of different lengths.

    Source:
        Damen et al., Rescaling Egocentric Vision (2022), section on multi-instance retrieval.
    """
    if len(verb_class) != len(noun_classes):
        raise InputError(
            f"{len(verb_class)} verb classes but {len(noun_classes)} noun lists: give one of each per clip"
        )
    keys: dict[tuple[int, frozenset[int]], int] = {}
    row_key = np.empty(len(verb_class), dtype=np.int64)
    for row, (verb, nouns) in enumerate(zip(verb_class, noun_classes, strict=True)):
        if not len(nouns):
            raise InputError(f"clip row {row} has no noun class: relevancy needs all_noun_classes of every clip")
        row_key[row] = keys.setdefault((int(verb), frozenset(nouns)), len(keys))
    grades, codes = _grades(list(keys))
    return Relevancy(grades, codes, row_key, row_key[text_media_index])


def _grades(keys: list[tuple[int, frozenset[int]]]) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """The distinct relevancies of all pairs of keys, and the code of each pair."""
    sets = {nouns: row for row, nouns in enumerate(dict.fromkeys(nouns for _, nouns in keys))}
    noun_column = {noun: column for column, noun in enumerate(sorted(frozenset().union(*sets)))}
    has_noun_sc = np.zeros((len(sets), len(noun_column)), dtype=np.float32)
    for nouns, row in sets.items():
        has_noun_sc[row, [noun_column[noun] for noun in nouns]] = 1
    size_s = has_noun_sc.sum(axis=1).astype(np.int32)
    most = int(size_s.max())
    # Relevancy depends on three small integers: same verb or not, size of the intersection, sum of the two sizes.
    same_t, shared_t, sizes_t = np.indices((2, most + 1, 2 * most + 1)).reshape(3, -1)
    value_t = 0.5 * same_t + 0.5 * shared_t / np.maximum(sizes_t - shared_t, 1)
    grade_t, code_t = np.unique(value_t, return_inverse=True)
    code_of = code_t.astype(np.uint16).reshape(2, -1)

    triple_ss = (has_noun_sc @ has_noun_sc.T).astype(np.int32) * (2 * most + 1) + size_s + size_s[:, None]
    other_verb_ss, same_verb_ss = code_of[0][triple_ss], code_of[1][triple_ss]
    set_k = np.array([sets[nouns] for _, nouns in keys])
    verbs, verb_k = np.unique([verb for verb, _ in keys], return_inverse=True)
    has_verb_sv = np.zeros((len(sets), len(verbs)), dtype=np.float32)
    has_verb_sv[set_k, verb_k] = 1
    # Two sets meet with the same verb as often as they share one, otherwise with different verbs.
    verbs_s, shared_verbs_ss = has_verb_sv.sum(axis=1), has_verb_sv @ has_verb_sv.T
    is_used_t = grade_t == 0
    is_used_t[same_verb_ss[shared_verbs_ss > 0]] = True
    is_used_t[other_verb_ss[shared_verbs_ss < verbs_s * verbs_s[:, None]]] = True
    among_used_t = (np.cumsum(is_used_t) - 1).astype(np.uint16)

    codes_kk = among_used_t[other_verb_ss].take(set_k, axis=1)[set_k]
    for verb in range(len(verbs)):
        own = np.flatnonzero(verb_k == verb)
        codes_kk[np.ix_(own, own)] = among_used_t[same_verb_ss[np.ix_(set_k[own], set_k[own])]]
    return grade_t[is_used_t], codes_kk
