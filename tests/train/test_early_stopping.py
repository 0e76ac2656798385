"""The best epoch by a chosen score, and the end of a run that no longer gets better."""

import json

import pyarrow as pa
import pytest

import pipelines.train.loop as loop
from pipelines.errors import InputError
from pipelines.train import train


@pytest.fixture
def scored(monkeypatch):
    """Validation that gives scores from a list; remembers how often it was asked."""

    def use(*scores: float, name: str = "recall_sum") -> list[int]:
        asked: list[int] = []

        def validate(session, between) -> dict[str, float]:
            asked.append(1)
            found = {"recall_sum": 1.0, "text_to_media_recall@1": 0.0, "media_to_text_recall@1": 0.0}
            return found | {name: scores[len(asked) - 1]}

        monkeypatch.setattr(loop, "validate", validate)
        return asked

    return use


def metrics(world) -> dict:
    return json.loads((world.folder / "run" / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("patience", "scores", "epochs", "best"),
    [
        (None, (3, 2, 1, 0), 4, 1),
        (1, (3, 2), 2, 1),
        (2, (3, 2, 4, 4, 1), 5, 3),  # as good is not better
        (3, (1, 2, 3, 4), 4, 4),
    ],
)
def test_patience(world, scored, patience, scores, epochs, best) -> None:
    scored(*map(float, scores))
    given = len(scores) if patience is None or patience == 3 else 9
    result = train(world.config("run", epochs=given, patience=patience))
    assert (result.summary["epochs"], result.summary["best_epoch"]) == (epochs, best)
    assert result.summary["steps"] == 3 * epochs
    assert [each["epoch"] for each in metrics(world)["validation"]] == list(range(1, epochs + 1))
    assert train(world.config("run", epochs=given, patience=patience)).up_to_date


def test_validation_every_second_epoch_and_after_the_last(world, scored) -> None:
    asked = scored(1.0, 2.0, 3.0)
    train(world.config("run", epochs=5, val_every=2))
    assert len(asked) == 3
    assert [each["epoch"] for each in metrics(world)["validation"]] == [2, 4, 5]


def test_another_score_chooses_another_epoch(world, scored) -> None:
    scored(5.0, 9.0, 7.0, name="text_to_media_recall@1")
    assert train(world.config("run", epochs=3, metric="text_to_media_recall@1")).summary["best_epoch"] == 2


def test_thirds_are_scored_where_there_are_shifts(world) -> None:
    options = {"temperature": "mmts", "tau": None, "alpha": 0.02, "shifts": world.shifts, "metric": "tail_recall_sum"}
    result = train(world.config("run", **options))
    found = result.summary["validation"]
    for third in ("tail", "head"):
        recalls = [value for name, value in found.items() if name.startswith(f"{third}_") and "@" in name]
        assert len(recalls) == 6
        assert found[f"{third}_recall_sum"] == pytest.approx(sum(recalls))


def test_a_third_without_queries_is_refused_before_the_first_step(world) -> None:
    def of_one_size(table: pa.Table) -> pa.Table:
        return table.set_column(2, "cluster_size", pa.array([5] * table.num_rows))

    world.rewrite("shifts", of_one_size)
    options = {"temperature": "mmts", "tau": None, "alpha": 0.02, "shifts": world.shifts}
    with pytest.raises(InputError, match="--metric tail_recall_sum: no query of the validation split is in the"):
        train(world.config("run", metric="tail_recall_sum", **options))
    assert not (world.folder / "run").exists()
    assert train(world.config("run", metric="middle_recall_sum", **options)).summary["best_epoch"] > 0


def test_a_score_that_is_not_there_is_named(world) -> None:
    with pytest.raises(InputError, match=r"--metric tail_recall_sum: expected recall_sum, .*tail_ need --frequency"):
        world.config("run", metric="tail_recall_sum")
