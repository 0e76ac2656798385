"""What tests of training share."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_towers import WORDS
from tiny_world import TinyWorld

import pipelines.train.loop as loop
from pipelines.train import train


class Killed(BaseException):
    """What happens to the process."""


@pytest.fixture
def goes_on_bit_for_bit(world: TinyWorld, monkeypatch) -> Callable[..., None]:
    """Check that a run of some options, killed in its second epoch and resumed, is the run that was never stopped."""

    def results(output: str) -> dict[str, object]:
        run = world.folder / output
        files = [*run.glob("model/*.safetensors"), run / "checkpoints" / "best.safetensors"]
        weights = {file.name: file.read_bytes() for file in files}
        return {**weights, "steps": pq.read_table(run / "steps.parquet").to_pydict()}

    def check(**options: object) -> None:
        options = {"epochs": 3, "checkpoint_steps": 1, **options}
        train(world.config("whole", **options))
        take_step = loop.take_step

        def killed_at_step_4(session, batch, step):
            if step == 4:
                raise Killed
            return take_step(session, batch, step)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "take_step", killed_at_step_4)
            with pytest.raises(Killed):
                train(world.config("run", **options))
        assert (world.folder / "run" / "checkpoints" / "step-000000004.safetensors").exists()
        train(world.config("run", **options), resume=True)
        assert results("run") == results("whole")

    return check


@pytest.fixture
def spoken(world):
    """The world with captions made of words that the tiny models know."""

    def speak(table: pa.Table) -> pa.Table:
        texts = [
            f"{WORDS[sum(map(ord, each)) % 13]} {WORDS[len(set(each)) % 13]}" for each in table["media_id"].to_pylist()
        ]
        return table.set_column(table.column_names.index("text"), "text", pa.array(texts))

    world.rewrite("annotations", speak)
    return world


@pytest.fixture
def filmed(spoken, film):
    """The `spoken` world with a film for each medium, in ``videos``, and times of clips."""

    def name(media_id: str) -> str:
        return f"{media_id.removesuffix('.png')}.mp4"

    for row, media_id in enumerate(spoken.media_ids):
        film(spoken.folder / "videos" / name(media_id), frames=6 + row % 4, gop=4)

    def cut(table: pa.Table) -> pa.Table:
        table = table.append_column("media", pa.array([name(each) for each in table["media_id"].to_pylist()]))
        for column, second in (("start_s", 0.04), ("end_s", 0.2)):
            table = table.append_column(column, pa.array([second] * len(table)))
        return table

    spoken.rewrite("annotations", cut)
    return spoken
