"""What tests of training share."""

from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
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
