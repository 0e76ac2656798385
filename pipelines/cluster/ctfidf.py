"""Class-based TF-IDF: which words tell the texts of one cluster from those of the others.

Source: Grootendorst, BERTopic, arXiv 2203.05794, equation 2. The weight of word x in cluster c is

    tf(x, c) * log(1 + A / f(x))

where tf is the share of the cluster's words that are x, f(x) how often x occurs in all clusters together, and A the
mean number of words in a cluster.

There is no list of stop words: those of scikit-learn hold words that captions live by ("fire", "take", "two"). Words
that are common everywhere have a small weight in any language, and where there are few clusters, so that it is not
small enough, they do not set a cluster apart: only words that do are its top words.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, starmap

import numpy as np
import regex
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

# Letters, their accents and vowel signs, and digits; Chinese and Japanese have no spaces between words.
_RUN = regex.compile(r"[\p{Han}\p{Hiragana}]+|[\p{L}\p{M}\p{N}--\p{Han}--\p{Hiragana}]+", regex.V1)
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}]")
_BLOCK_WORDS = 2**20
_APART = 2  # times as frequent as in the other clusters is a word that sets a cluster apart


def words_of(text: str) -> list[str]:
    """The words of a text in any script, in lower case: runs of at least two letters or digits.

    Where a script has no spaces between words, each two neighbouring characters stand for a word.
    """
    words = []
    for run in _RUN.findall(text.lower()):
        if len(run) > 1 and _UNSPACED.match(run):
            words += [run[start : start + 2] for start in range(len(run) - 1)]
        elif len(run) > 1 or _UNSPACED.match(run):
            words.append(run)
    return words


@dataclass(frozen=True)
class ClassTfIdf:
    """Class-based TF-IDF of n texts in k clusters, over v words.

    Attributes:
        words: The words ``(v,)``, sorted.
        counts_nv: How often each text has each word, sparse.
        inverse_n: Which of the k clusters each text is in ``(n,)``.
        counts_kv: How often each cluster has each word, sparse.
        weights_kv: Weight of each word in each cluster, sparse.
        rarity_v: ``log(1 + A / f)`` of each word.
    """

    words: NDArray[np.object_]
    counts_nv: sparse.csr_array
    inverse_n: NDArray[np.int64]
    counts_kv: sparse.csr_array
    weights_kv: sparse.csr_array
    rarity_v: NDArray[np.float64]

    @classmethod
    def fit(cls, texts: Iterable[str], inverse_n: NDArray[np.int64], k: int) -> "ClassTfIdf":
        """Count the words of texts, text i being in cluster ``inverse_n[i]`` of k."""
        n = len(inverse_n)
        vectorizer = CountVectorizer(analyzer=words_of, dtype=np.int32)
        try:
            counts_nv = sparse.csr_array(vectorizer.fit_transform(texts))
            words = vectorizer.get_feature_names_out()
        except ValueError:  # scikit-learn refuses a vocabulary of nothing: here it is one word that no text has
            counts_nv, words = sparse.csr_array((n, 1), dtype=np.int32), np.array([""], dtype=object)
        members_kn = sparse.csr_array((np.ones(n), (inverse_n, np.arange(n))), shape=(k, n))
        counts_kv = sparse.csr_array(members_kn @ counts_nv)
        rarity_v = np.log1p(counts_kv.sum() / k / np.maximum(counts_kv.sum(axis=0), 1))
        weights_kv = sparse.csr_array(normalize(counts_kv, norm="l1").multiply(rarity_v))
        return cls(words, counts_nv, inverse_n, counts_kv, weights_kv, rarity_v)

    def top_words(self, count: int) -> list[list[str]]:
        """The ``count`` words of largest weight of each cluster; of equal ones the alphabet's first.

        Of words that are at least twice as frequent there as in the other clusters, so there may be fewer.
        """
        total_k, total_v = self.counts_kv.sum(axis=1), self.counts_kv.sum(axis=0)
        top = []
        for row, total in enumerate(total_k):
            cells = slice(*self.weights_kv.indptr[row : row + 2])
            column, weight = self.weights_kv.indices[cells], self.weights_kv.data[cells]
            own, others = self.counts_kv[row, column], total_v[column] - self.counts_kv[row, column]
            apart = own * (total_v.sum() - total) >= _APART * others * total
            column, weight = column[apart], weight[apart]
            top.append(self.words[column[np.lexsort((column, -weight))[:count]]].tolist())
        return top

    def similarity(self) -> NDArray[np.float64]:
        """(n,) cosine similarity of each text's words, weighted by rarity, to its cluster's weights."""
        clusters_kv = sparse.csr_array(normalize(self.weights_kv))
        similarity_n = np.empty(len(self.inverse_n))
        words_n = self.counts_nv.indptr
        ends = np.searchsorted(words_n, np.arange(_BLOCK_WORDS, words_n[-1], _BLOCK_WORDS))
        bounds = np.unique([0, *ends, len(similarity_n)]).tolist()
        for block in starmap(slice, pairwise(bounds)):  # a bound on the gathered copy of clusters
            texts = sparse.csr_array(normalize(self.counts_nv[block].multiply(self.rarity_v))).tocoo()
            cosine = clusters_kv[self.inverse_n[block][texts.row], texts.col] * texts.data
            similarity_n[block] = np.bincount(texts.row, cosine, minlength=len(similarity_n[block]))
        return similarity_n
