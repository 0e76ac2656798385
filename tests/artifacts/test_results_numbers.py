"""After an upgrade that changed a stage's results their outputs are made again, and no others."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.annotations.table import prepare_table
from pipelines.artifacts import StagePlan
from pipelines.embed.media import embed_media
from pipelines.train import train


@pytest.fixture
def remade(monkeypatch) -> Callable[..., bool]:
    """Whether a stage writes again what an mmts without results numbers has written."""

    def check(module: str, stage: Callable[[], object]) -> bool:
        with monkeypatch.context() as earlier:
            earlier.setattr(f"{module}.StagePlan", lambda *args, results=1, **named: StagePlan(*args, **named))
            stage()
        done = stage()
        assert stage().up_to_date
        return not done.up_to_date

    return check


@pytest.mark.parametrize(
    ("options", "again"),
    [
        ({"temperature": "fixed", "tau": 0.1}, False),
        ({"temperature": "cosine", "tau": 0.1, "alpha": 0.02, "oscillations": 1}, False),
        ({"temperature": "cosine", "tau": 0.1, "oscillations": 1}, True),
        ({"temperature": "tempnet", "tau": None}, True),
    ],
)
def test_runs_on_features_whose_strategy_changed(world, remade, options, again) -> None:
    config = world.config("run", epochs=1, batch_size=8, **options)
    assert remade("pipelines.train.stage", lambda: train(config)) == again


def test_runs_on_pixels(world, remade, tiny) -> None:
    options = {"media": world.images(), "media_model": str(tiny("resnet")), "epochs": 1, "batch_size": 48}
    assert remade("pipelines.train.stage", lambda: train(world.config("run", **options)))


def test_vectors_of_pixels_and_of_features(world, remade, tiny) -> None:
    train(world.config("run", epochs=1, batch_size=48))
    for media, model, again in (
        (world.images(), tiny("resnet"), True),
        (world.media, world.folder / "run", False),
    ):
        output = world.folder / f"{model.name}.parquet"

        def embed(media=media, model=model, output=output) -> object:
            return embed_media(world.annotations, output, media=media, model=str(model))

        assert remade("pipelines.embed.media", embed) == again


def test_tables(tmp_path: Path, remade) -> None:
    pd.DataFrame({"text": ["x"]}).to_csv(tmp_path / "a.csv", index=False)
    options = {"text_column": "text"}
    assert remade(
        "pipelines.annotations.table", lambda: prepare_table(tmp_path / "a.csv", tmp_path / "o.parquet", **options)
    )
