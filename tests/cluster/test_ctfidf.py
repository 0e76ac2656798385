"""Class-based TF-IDF against the definition, worked out by hand, and words in several scripts."""

from math import log, sqrt

import numpy as np
import pytest

from pipelines.cluster import ctfidf
from pipelines.cluster.ctfidf import ClassTfIdf, words_of

TEXTS = ["Red dog.", "red dog runs", "red cat"]  # five words in cluster 0, two in cluster 1: A = 3.5
WEIGHTS = {  # share of the cluster's words, times log(1 + A / occurrences)
    (0, "red"): 2 / 5 * log(1 + 3.5 / 3),
    (0, "dog"): 2 / 5 * log(1 + 3.5 / 2),
    (0, "runs"): 1 / 5 * log(1 + 3.5 / 1),
    (1, "red"): 1 / 2 * log(1 + 3.5 / 3),
    (1, "cat"): 1 / 2 * log(1 + 3.5 / 1),
}


@pytest.fixture
def tfidf() -> ClassTfIdf:
    return ClassTfIdf.fit(TEXTS, np.array([0, 0, 1]), 2)


def test_weights_are_the_published_formula(tfidf) -> None:
    found = tfidf.weights_kv.tocoo()
    assert {
        (int(row), tfidf.words[column]): weight
        for row, column, weight in zip(found.row, found.col, found.data, strict=True)
    } == pytest.approx(WEIGHTS)


def test_similarity_is_the_same_whatever_the_block(tfidf, monkeypatch) -> None:
    whole = tfidf.similarity()
    for words in (1, 2, 3):
        monkeypatch.setattr(ctfidf, "_BLOCK_WORDS", words)
        assert tfidf.similarity().tolist() == whole.tolist()


def test_top_words_are_those_of_largest_weight_that_set_a_cluster_apart(tfidf) -> None:
    assert tfidf.top_words(1) == [["dog"], ["cat"]]
    assert tfidf.top_words(9) == [["dog", "runs"], ["cat"]]  # "red" is two of five words here, one of two there


@pytest.mark.parametrize(("elsewhere", "words"), [("red dog dog dog", ["blue", "red"]), ("red dog", ["blue"])])
def test_a_word_sets_a_cluster_apart_where_it_is_twice_as_frequent(elsewhere, words) -> None:
    assert ClassTfIdf.fit(["red blue", elsewhere], np.array([0, 1]), 2).top_words(9)[0] == words


def test_of_equal_words_the_alphabet_decides() -> None:
    assert ClassTfIdf.fit(["zebra mole ant"], np.array([0]), 1).top_words(2) == [["ant", "mole"]]


def test_similarity_is_the_cosine_of_a_text_and_its_cluster(tfidf) -> None:
    rarity = {"red": log(1 + 3.5 / 3), "dog": log(1 + 3.5 / 2), "runs": log(1 + 3.5)}
    dot = sum(rarity[word] * WEIGHTS[0, word] for word in ("red", "dog"))
    of_text = sqrt(rarity["red"] ** 2 + rarity["dog"] ** 2)
    of_cluster = sqrt(sum(weight**2 for (row, _), weight in WEIGHTS.items() if row == 0))
    assert tfidf.similarity()[0] == pytest.approx(dot / of_text / of_cluster)
    assert tfidf.similarity()[2] == pytest.approx(1)  # the only text of its cluster


def test_texts_without_a_word_have_no_words() -> None:
    tfidf = ClassTfIdf.fit(["!", "", "x"], np.array([0, 1, 1]), 2)
    assert tfidf.top_words(5) == [[], []]
    assert tfidf.similarity().tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man's 2 dogs, no. 66!", ["man", "dogs", "no", "66"]),
        ("L'été à Nîmes", ["été", "nîmes"]),
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs and viramas, which \w of Python's re leaves out
        ("собака БЕЖИТ", ["собака", "бежит"]),
        ("一只狗 在 ボール", ["一只", "只狗", "在", "ボール"]),
        ("🐕 ... -", []),
    ],
)
def test_words_of_any_script(text, words) -> None:
    assert words_of(text) == words
