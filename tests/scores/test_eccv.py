"""Protocol ``eccv`` on a case worked out by hand; ``tests/evaluate`` compares it with the package's own values."""

import numpy as np
import pytest

from pipelines.errors import InputError
from pipelines.scores import CocoTruth, Positives, score_eccv

IMAGES = (0, 90)  # angles in degrees: of two vectors in a plane, the nearer is the more similar
CAPTIONS = (10, 40, 60, 80)


def vectors(angles) -> np.ndarray:
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def truth() -> CocoTruth:
    def positives(pairs, count) -> Positives:
        query, item = np.array(pairs).T
        return Positives(query, item, np.array(count))

    return CocoTruth(
        text_media_index=np.array([0, 0, 1, 1]),
        fold=np.array([0, 1]),
        cxc={
            "text_to_media": positives([(0, 1), (1, 0), (1, 1), (3, 0)], [1, 2, 0, 1]),
            "media_to_text": positives([(0, 3), (1, 3)], [1, 1]),
        },
        eccv={
            "text_to_media": positives([(0, 1), (2, 0), (2, 1)], [1, 0, 2, 0]),
            "media_to_text": positives([(0, 1), (0, 3)], [3, 0]),
        },
    )


def test_hand_made_case() -> None:
    """Image 0 ranks the captions 0, 1, 2, 3, image 1 the other way round; captions 0 and 1 rank image 0 first.

    ECCV, image 0, R = 3 of which one is no item: found at ranks 2 and 4, within R only 2: mAP@R (1/2) / 3, R-Precision
    1/3. Caption 0, R = 1: rank 2, nothing. Caption 2, R = 2: ranks 1 and 2: (1/1 + 2/2) / 2 and 2/2. CxC, best ranks:
    image 0 4, image 1 1; captions 0, 1, 3: 2, 1, 2. MSCOCO's own pairs are all first, in folds of one image as well.
    """
    evaluation = score_eccv(vectors(IMAGES), vectors(CAPTIONS), truth(), resamples=0)
    expected = {
        "text_to_media": {
            **{"eccv_mAP@R": 50, "eccv_R-Precision": 50, "eccv_recall@1": 50},
            **{"cxc_recall@1": 100 / 3, "cxc_recall@5": 100, "cxc_recall@10": 100},
        },
        "media_to_text": {
            **{"eccv_mAP@R": 100 / 6, "eccv_R-Precision": 100 / 3, "eccv_recall@1": 0},
            **{"cxc_recall@1": 50, "cxc_recall@5": 100, "cxc_recall@10": 100},
        },
    }
    own = {f"{name}@{k}": 100 for name in ("recall", "coco_1k_recall") for k in (1, 5, 10)}
    for direction, values in expected.items():
        scores = evaluation.scores["overall"][direction]
        assert {name: score["value"] for name, score in scores.items()} == pytest.approx({**values, **own})
    assert evaluation.metrics()["left_out"]["text_to_media"] == {
        **dict.fromkeys(("eccv_mAP@R", "eccv_R-Precision", "eccv_recall@1"), 2),
        **dict.fromkeys(("cxc_recall@1", "cxc_recall@5", "cxc_recall@10"), 1),
    }


def test_block_size_changes_no_score_and_ties_go_by_the_rule(monkeypatch) -> None:
    doubled = vectors((10, 10, 80, 80))  # each image's two captions tie, also with a positive of ECCV
    by_rule = {}
    for rule in ("index", "optimistic", "pessimistic"):
        results = []
        for edge in (1, 3, 64):
            monkeypatch.setattr("pipelines.scores.ranks.block_edge", lambda source, block_bytes, edge=edge: edge)
            results.append(score_eccv(vectors(IMAGES), doubled, truth(), ties=rule, resamples=0))
        assert results[0].scores == results[1].scores == results[2].scores
        by_rule[rule] = results[0].scores["overall"]["media_to_text"]["eccv_mAP@R"]["value"]
        assert results[0].metrics()["ties"]["media_to_text"] == 2
    # Image 0: caption 1 ties with caption 0 for ranks 1 and 2, caption 3 with caption 2 for 3 and 4.
    assert by_rule == pytest.approx({"index": 100 / 6, "optimistic": 100 * (1 + 2 / 3) / 3, "pessimistic": 100 / 6})
    with pytest.raises(InputError, match="ties='random' is not a rule for ties"):
        score_eccv(vectors(IMAGES), doubled, truth(), ties="random", resamples=0)


def test_thirds_by_the_captions_sizes() -> None:
    evaluation = score_eccv(vectors(IMAGES), vectors(CAPTIONS), truth(), cluster_size=[1, 1, 5, 9], resamples=0)
    assert evaluation.edges == (5, 9)
    assert evaluation.queries["media_to_text"].third.tolist() == [0, 1]  # a mean of 1, and of 7
    assert evaluation.scores["tail"]["text_to_media"]["cxc_recall@1"]["value"] == 50
