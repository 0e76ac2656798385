"""EPIC-KITCHENS-100: a hand-made case, and the published chance row on the real annotations."""

import ast
import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.scores import DenseScores, EmbeddingScores, class_relevancy, matrix_relevancy, score_ek100

THIRD_ROOT = 1 / np.log2(3)
FOURTH_ROOT = 1 / np.log2(5)


def read_ek100() -> tuple[list[int], list[list[int]], np.ndarray]:
    """Verb classes, noun classes and the clip of each sentence, from the official retrieval files."""
    if "MMTS_DATA_DIR" not in os.environ:
        pytest.skip("MMTS_DATA_DIR is not set: the EK-100 annotations are not here")
    folder = Path(os.environ["MMTS_DATA_DIR"]) / "ek100"
    with (folder / "EPIC_100_retrieval_test.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    with (folder / "EPIC_100_retrieval_test_sentence.csv").open(newline="") as file:
        names = [row["narration_id"] for row in csv.DictReader(file)]
    row_of = {clip["narration_id"]: row for row, clip in enumerate(clips)}
    verbs = [int(clip["verb_class"]) for clip in clips]
    nouns = [ast.literal_eval(clip["all_noun_classes"]) for clip in clips]
    return verbs, nouns, np.array([row_of[name] for name in names])


def test_hand_made_case() -> None:
    """Three clips and four sentences, worked out on paper.

    Clips: (verb 0, noun 1), (verb 0, nouns 1 and 2), (verb 1, noun 2). Sentences name clips 0, 1, 2, 0. Relevancy::

               s0    s1    s2    s3          scores   s0   s1   s2   s3
        c0     1     .75   0     1             c0     .1   .9   .8   .3
        c1     .75   1     .25   .75           c1     .4   .2   .6   .5
        c2     0     .25   1     0             c2     .7   .1   .2   .7

    With d2 = 1/log2(3), d3 = 1/2, d4 = 1/log2(5) the discounts at ranks 2, 3 and 4. Video to text:

    - c0 ranks s1 s2 s3 s0, relevancies .75 0 1 1, k = 3.
      DCG = .75 + 0 + 1/2 = 1.25, ideal 1 + d2 + .75/2.
      mAP: exact at ranks 3 and 4: (1.75/3 + 2.75/4) / 2; binary (1/3 + 2/4) / 2.
    - c1 ranks s2 s3 s0 s1, relevancies .25 .75 .75 1, k = 4.
      DCG = .25 + .75 d2 + .75/2 + d4, ideal 1 + .75 d2 + .75/2 + .25 d4. mAP 2.75/4; binary 1/4.
    - c2 ranks s0 s3 (tied, equally relevant) s2 s1, relevancies 0 0 1 .25, k = 2.
      DCG = 0. mAP 1/3; binary 1/3.

    Text to video:

    - s0 and s3 rank c2 c1 c0, relevancies 0 .75 1, k = 2.
      DCG = .75 d2, ideal 1 + .75 d2. mAP 1.75/3; binary 1/3.
    - s1 ranks c0 c1 c2, relevancies .75 1 .25, k = 3.
      DCG = .75 + d2 + .25/2, ideal 1 + .75 d2 + .25/2. mAP 1.75/2; binary 1/2.
    - s2 ranks c0 c1 c2, relevancies 0 .25 1, k = 2.
      DCG = .25 d2, ideal 1 + .25 d2. mAP 1.25/3; binary 1/3.
    """
    scores_nm = np.array([[0.1, 0.9, 0.8, 0.3], [0.4, 0.2, 0.6, 0.5], [0.7, 0.1, 0.2, 0.7]])
    index_m = np.array([0, 1, 2, 0])
    relevancy = class_relevancy([0, 0, 1], [[1], [1, 2], [2]], index_m)
    evaluation = score_ek100(DenseScores(scores_nm), relevancy, index_m, resamples=0)
    d2, d4 = THIRD_ROOT, FOURTH_ROOT
    expected = {
        "media_to_text": {
            "nDCG": [
                1.25 / (1.375 + d2),
                (0.625 + 0.75 * d2 + d4) / (1.375 + 0.75 * d2 + 0.25 * d4),
                0,
            ],
            "mAP": [(1.75 / 3 + 2.75 / 4) / 2, 2.75 / 4, 1 / 3],
            "mAP_binary": [(1 / 3 + 2 / 4) / 2, 1 / 4, 1 / 3],
        },
        "text_to_media": {
            "nDCG": [
                0.75 * d2 / (1 + 0.75 * d2),
                (0.875 + d2) / (1.125 + 0.75 * d2),
                0.25 * d2 / (1 + 0.25 * d2),
                0.75 * d2 / (1 + 0.75 * d2),
            ],
            "mAP": [1.75 / 3, 1.75 / 2, 1.25 / 3, 1.75 / 3],
            "mAP_binary": [1 / 3, 1 / 2, 1 / 3, 1 / 3],
        },
    }
    for direction, measures in expected.items():
        for name, values in measures.items():
            np.testing.assert_allclose(
                evaluation.queries[direction].values[name],
                100 * np.array(values),
                rtol=1e-13,
                err_msg=f"{direction} {name}",
            )
            mean = evaluation.scores["overall"][direction][name]["value"]
            assert mean == pytest.approx(100 * np.mean(values), rel=1e-13)
    both = [np.mean(expected[direction]["mAP"]) for direction in expected]
    assert evaluation.scores["overall"]["mean"]["mAP"]["value"] == pytest.approx(100 * np.mean(both), rel=1e-13)
    assert evaluation.metrics()["ties"] == {"rule": "index", "text_to_media": 0, "media_to_text": 0}
    assert "left_out" not in evaluation.metrics()


def test_queries_without_an_item_of_relevancy_1_are_left_out_of_map_and_counted() -> None:
    relevancy = matrix_relevancy(np.array([[1.0, 0.5], [0.5, 0.5], [0.0, 0.0]]))
    scores = DenseScores(np.array([[0.2, 0.1], [0.3, 0.4], [0.1, 0.2]]))
    evaluation = score_ek100(scores, relevancy, np.array([0, 1]), resamples=20)
    assert evaluation.metrics()["left_out"] == {
        "text_to_media": {"mAP": 1, "mAP_binary": 1},
        "media_to_text": {"mAP": 2, "mAP_binary": 2, "nDCG": 1},
    }
    to_text = evaluation.metrics()["scores"]["overall"]["media_to_text"]
    assert (to_text["mAP"]["value"], to_text["nDCG"]["value"]) == (100, 100)
    json.dumps(evaluation.metrics(), allow_nan=False)


def test_thirds_and_groups_follow_the_clips() -> None:
    rng = np.random.default_rng(0)
    index_m = np.array([8, 0, 4, 2])
    relevancy = class_relevancy(rng.integers(0, 2, 9), [[int(noun)] for noun in rng.integers(0, 3, 9)], index_m)
    scores = EmbeddingScores(rng.standard_normal((9, 5)), rng.standard_normal((4, 5)))
    evaluation = score_ek100(scores, relevancy, index_m, cluster_size=np.arange(1, 10), resamples=20)
    to_media = evaluation.queries["text_to_media"]
    assert evaluation.edges == (4, 7)
    assert to_media.group.tolist() == [8, 0, 4, 2]
    assert to_media.cluster_size.tolist() == [9, 1, 5, 3]
    assert to_media.third.tolist() == [2, 0, 1, 0]
    assert evaluation.metrics()["thirds"]["media_to_text"] == {"head": 3, "middle": 3, "tail": 3}
    tail = evaluation.scores["tail"]["text_to_media"]["nDCG"]
    assert tail["value"] == pytest.approx(to_media.values["nDCG"][[1, 3]].mean())


def test_refusals() -> None:
    scores, relevancy = DenseScores(np.ones((3, 2))), matrix_relevancy(np.ones((3, 2)))
    with pytest.raises(InputError, match="2 sentences need one clip row each, from 0 to 2"):
        score_ek100(scores, relevancy, np.array([0, 3]))
    with pytest.raises(InputError, match="3 clips but 2 cluster sizes"):
        score_ek100(scores, relevancy, np.array([0, 1]), cluster_size=np.ones(2))


@pytest.mark.slow
def test_random_scores_give_the_published_chance_row() -> None:
    """Damen et al. print 5.7 / 5.6 mAP and 10.8 / 10.9 nDCG, video to text / text to video."""
    verbs, nouns, index_m = read_ek100()
    assert (len(verbs), len(index_m)) == (9668, 3842)
    relevancy = class_relevancy(verbs, nouns, index_m)
    scores_nm = np.random.default_rng(0).standard_normal((9668, 3842), dtype=np.float32)
    evaluation = score_ek100(DenseScores(scores_nm), relevancy, index_m, resamples=100)
    overall = evaluation.scores["overall"]
    for direction, published, binary, ndcg in (
        ("media_to_text", 5.69, 0.37, 10.79),
        ("text_to_media", 5.57, 0.25, 10.95),
    ):
        assert overall[direction]["mAP"]["value"] == pytest.approx(published, abs=0.1)
        assert overall[direction]["mAP_binary"]["value"] == pytest.approx(binary, abs=0.05)
        assert overall[direction]["nDCG"]["value"] == pytest.approx(ndcg, abs=0.1)
        assert overall[direction]["nDCG"]["low"] < overall[direction]["nDCG"]["value"]
    assert "left_out" not in evaluation.metrics()
