"""Zero-shot classification against scikit-learn, and its intervals against a naive loop."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, top_k_accuracy_score

from pipelines.errors import InputError
from pipelines.scores import compare, estimate, frequency_slope, judge, score_classes
from pipelines.scores.classification import shots_of

RESAMPLES = 40
TRAIN = np.array([500, 101, 100, 60, 20, 19, 3, 1, 0])
TEST = np.array([30, 25, 12, 9, 4, 3, 1, 1, 0])


@pytest.fixture(scope="module")
def vectors():
    """Media of nine classes near their class's vector; the last class has none."""
    random = np.random.default_rng(3)
    class_cd = random.standard_normal((9, 7))
    label_n = random.permutation(np.repeat(np.arange(9), TEST))
    return class_cd[label_n] + 1.3 * random.standard_normal((len(label_n), 7)), class_cd, label_n


@pytest.fixture(scope="module")
def scored(vectors):
    return score_classes(*vectors, train_count=TRAIN, resamples=RESAMPLES, seed=5)


def similarities(vectors) -> np.ndarray:
    media_nd, class_cd, _ = vectors
    media_nd, class_cd = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (media_nd, class_cd))
    return media_nd @ class_cd.T


def values(scored, segment="overall") -> dict[str, float]:
    return {name: score["value"] for name, score in scored.evaluation.scores[segment]["media_to_text"].items()}


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")  # as the last class has no media
def test_scikit_learn_agrees(vectors, scored) -> None:
    label_n, score_nc = vectors[2], similarities(vectors)
    predicted_n = score_nc.argmax(axis=1)
    assert scored.predicted.tolist() == predicted_n.tolist()
    expected = {
        "top-1": accuracy_score(label_n, predicted_n),
        "top-5": top_k_accuracy_score(label_n, score_nc, k=5, labels=np.arange(9)),
        "mean_per_class": balanced_accuracy_score(label_n, predicted_n),
    }
    assert values(scored) == pytest.approx({name: 100 * value for name, value in expected.items()})
    assert len({round(value, 6) for value in expected.values()}) == 3  # else one could stand for another


def test_groups_of_classes_by_their_training_media(vectors, scored) -> None:
    label_n, predicted_n = vectors[2], similarities(vectors).argmax(axis=1)
    groups = {"many": [0, 1], "medium": [2, 3, 4], "few": [5, 6, 7]}
    assert shots_of(TRAIN).tolist() == [2, 2, 1, 1, 1, 0, 0, 0, 0]
    for name, classes in groups.items():
        inside = np.isin(label_n, classes)
        found = values(scored, name)
        assert found["top-1"] == pytest.approx(100 * accuracy_score(label_n[inside], predicted_n[inside]))
        of_each = [accuracy_score(label_n[label_n == c], predicted_n[label_n == c]) for c in classes]
        assert found["mean_per_class"] == pytest.approx(100 * np.mean(of_each))
    assert scored.evaluation.metrics()["shots"] == {
        "media_to_text": {name: int(TEST[classes].sum()) for name, classes in groups.items()}
    }
    assert scored.evaluation.metrics()["queries"] == {"media_to_text": 85}


def test_each_class_and_what_it_is_taken_for(vectors, scored) -> None:
    label_n, score_nc = vectors[2], similarities(vectors)
    table = confusion_matrix(label_n, score_nc.argmax(axis=1), labels=np.arange(9))
    assert scored.test_count.tolist() == TEST.tolist()
    for c in range(8):
        top_5 = [c in np.argsort(-row)[:5] for row in score_nc[label_n == c]]
        found = {name: value[c] for name, value in scored.per_class.items()}
        assert found == pytest.approx({"top-1": 100 * table[c, c] / TEST[c], "top-5": 100 * np.mean(top_5)})
        others = np.where(np.arange(9) == c, 0, table[c])
        assert scored.confused_count[c] == others.max()
        assert scored.confused_with[c] == (others.argmax() if others.any() else -1)
    assert np.isnan(scored.per_class["top-1"][8])
    assert scored.confused_with[8] == -1


def test_intervals_by_a_loop_that_draws_the_same_media(vectors, scored) -> None:
    label_n, predicted_n = vectors[2], similarities(vectors).argmax(axis=1)
    random = np.random.default_rng([5, 0])
    samples: dict[str, list[float]] = {"top-1": [], "mean_per_class": []}
    lost = 0
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(label_n), len(label_n))
        lost += len(set(label_n[drawn])) < 8
        samples["top-1"].append(accuracy_score(label_n[drawn], predicted_n[drawn]))
        classes = sorted(set(label_n[drawn].tolist()))
        right = [np.mean((predicted_n[drawn] == c)[label_n[drawn] == c]) for c in classes]
        samples["mean_per_class"].append(float(np.mean(right)))
    assert lost  # a resample without one of the classes is among them
    for name, drawn in samples.items():
        found = scored.evaluation.scores["overall"]["media_to_text"][name]
        assert [found["low"], found["high"]] == pytest.approx((100 * np.percentile(drawn, (2.5, 97.5))).tolist())


def test_the_slope_is_that_of_least_squares(scored) -> None:
    accuracy_c, counted = scored.per_class["top-1"], np.arange(8)
    line = stats.linregress(np.log10(TRAIN[counted]), accuracy_c[counted])
    assert scored.slope["value"] == pytest.approx(line.slope)
    assert scored.slope["classes"] == 8
    random, drawn = np.random.default_rng([5, 0]), []
    for _ in range(RESAMPLES):
        some = counted[random.integers(0, 8, 8)]
        drawn.append(stats.linregress(np.log10(TRAIN[some]), accuracy_c[some]).slope)
    expected = np.percentile(drawn, (2.5, 97.5)).tolist()
    assert [scored.slope["low"], scored.slope["high"]] == pytest.approx(expected)


def test_no_slope_without_two_counts() -> None:
    accuracy_c = np.array([10.0, 90.0, np.nan, 40.0])
    assert frequency_slope(accuracy_c, np.array([5, 5, 50, 0]), 10, 0) is None
    one = frequency_slope(accuracy_c, np.array([10, 1000, 50, 0]), 0, 0)
    assert one == {"value": pytest.approx(40.0), "low": None, "high": None, "classes": 2}
    # Seed 4 draws the second class twice, and a resample of one class has no slope.
    assert np.random.default_rng([4, 0]).integers(0, 2, 2).tolist() == [1, 1]
    assert frequency_slope(accuracy_c, np.array([10, 1000, 50, 0]), 1, 4)["low"] is None


@pytest.mark.parametrize(
    ("ties", "right"), [("index", [1, 0, 0]), ("optimistic", [1, 1, 0]), ("pessimistic", [0, 0, 0])]
)
def test_ties_by_each_rule(ties, right) -> None:
    media_nd, class_cd = np.array([[1.0, 0], [1, 0], [1, 0]]), np.array([[2.0, 0], [5, 0], [0, 1]])
    scored = score_classes(media_nd, class_cd, np.array([0, 1, 2]), ties=ties, resamples=0)
    assert scored.evaluation.queries["media_to_text"].values["top-1"].tolist() == [100 * each for each in right]
    assert scored.predicted.tolist() == [0, 0, 0]
    assert scored.evaluation.metrics()["ties"] == {"rule": ties, "media_to_text": 2}


def test_up_to_five_classes_have_no_top_5_and_without_counts_no_groups(vectors) -> None:
    media_nd, class_cd, label_n = vectors
    some = label_n < 5
    scored = score_classes(media_nd[some], class_cd[:5], label_n[some], resamples=0)
    assert set(scored.evaluation.scores) == {"overall"}
    assert set(values(scored)) == {"top-1", "mean_per_class"}
    assert scored.slope is None
    six = score_classes(media_nd[some], class_cd[:6], label_n[some], resamples=0)
    assert set(values(six)) == {"top-1", "top-5", "mean_per_class"}


def test_the_blocks_change_nothing(vectors, scored) -> None:
    small = score_classes(*vectors, train_count=TRAIN, resamples=0, block_bytes=1)
    assert small.predicted.tolist() == scored.predicted.tolist()
    assert small.rank.tolist() == scored.rank.tolist()


@pytest.fixture(scope="module")
def two_runs(vectors):
    """The queries of two models: the one above and one that sees less noise."""
    media_nd, class_cd, label_n = vectors
    better = score_classes(media_nd + class_cd[label_n], class_cd, label_n, train_count=TRAIN, resamples=0)
    worse = score_classes(media_nd, class_cd, label_n, train_count=TRAIN, resamples=0)
    return worse, better


def test_two_runs_are_compared_on_the_same_draws(two_runs) -> None:
    worse, better = (each.evaluation.queries for each in two_runs)
    difference = compare(worse, better, resamples=RESAMPLES)["overall"]["media_to_text"]
    for name in ("top-1", "top-5", "mean_per_class"):
        expected = values(two_runs[1])[name] - values(two_runs[0])[name]
        assert difference[name]["value"] == pytest.approx(expected)
        assert difference[name]["low"] <= expected <= difference[name]["high"]


def test_verdicts_over_seeds_and_media(two_runs, vectors) -> None:
    media_nd, class_cd, label_n = vectors
    seeds = [media_nd + 0.2 * np.random.default_rng(seed).standard_normal(media_nd.shape) for seed in (1, 2, 3)]
    sides = [
        [score_classes(x + shift * class_cd[label_n], class_cd, label_n, resamples=0).evaluation for x in seeds]
        for shift in (0, 2)
    ]
    verdicts = judge(*([run.queries for run in side] for side in sides))["overall"]["media_to_text"]
    means = [np.mean([run.scores["overall"]["media_to_text"]["mean_per_class"]["value"] for run in s]) for s in sides]
    assert verdicts["mean_per_class"].value == pytest.approx(means[1] - means[0])
    assert verdicts["mean_per_class"].word == "better"
    assert "mean_per_class" in estimate([run.queries for run in sides[0]])["overall"]["media_to_text"]


def test_an_interval_of_a_mean_per_class_over_seeds_counts_each_class_alike(vectors) -> None:
    """Equal seeds leave the variance over media: squares of each one's part of the mean, over classes of any size."""
    scored = score_classes(*vectors, resamples=0)
    queries, label_n = scored.evaluation.queries, vectors[2]
    found = estimate([queries, queries])["overall"]["media_to_text"]["mean_per_class"]
    right_n = queries["media_to_text"].values["top-1"]
    parts_n = [(right_n[row] - found["value"]) / (8 * TEST[label_n[row]]) for row in range(len(label_n))]
    moved = sum(part != 0 for part in parts_n)
    variance = moved / (moved - 1) * sum(part**2 for part in parts_n)
    half = stats.t.ppf(0.975, moved - 1) * np.sqrt(variance)
    assert [found["low"], found["high"]] == pytest.approx([found["value"] - half, found["value"] + half])


@pytest.mark.parametrize(
    ("classes", "labels", "counts", "message"),
    [
        (3, [0, 1, 3], None, "3 media need one class each, from 0 to 2"),
        (3, [0, 1], None, "3 media need one class each"),
        (3, [0, 1, 2], [5, 5], "3 classes but 2 training counts"),
        (1, [0, 0, 0], None, "only one class"),
    ],
)
def test_what_does_not_fit(classes, labels, counts, message) -> None:
    with pytest.raises(InputError, match=message):
        score_classes(np.eye(3), np.eye(3)[:classes], np.array(labels), train_count=counts, resamples=0)
