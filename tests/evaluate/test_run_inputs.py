"""A run's own files: asked for where missing, told apart from others of the same name, not replaced by scores."""

import numpy as np
import pyarrow as pa
import pytest


@pytest.fixture
def run(world, mmts):
    assert mmts(*world.command("run")).code == 0
    return world.folder / "run"


def test_scores_do_not_replace_a_run_s_files(run, refused) -> None:
    before = (run / "metrics.json").read_bytes()
    assert "is a run folder" in refused("eval", run, "-o", run)
    assert (run / "metrics.json").read_bytes() == before


def test_a_file_that_only_the_run_names_is_asked_for(world, run, refused) -> None:
    world.media.unlink()
    message = refused("eval", run, "-o", world.folder / "scores")
    assert "config.json names it; give --media" in message


def test_other_features_than_the_run_s_are_told(world, run, mmts) -> None:
    assert mmts("eval", run, "-o", world.folder / "same").err == ""

    def shifted(table: pa.Table) -> pa.Table:
        moved = [(np.array(row) + 1).tolist() for row in table.column("embedding").to_pylist()]
        return table.set_column(1, "embedding", pa.array(moved, table.schema.field("embedding").type))

    world.rewrite("media", shifted)
    ran = mmts("eval", run, "-o", world.folder / "changed")
    assert ran.code == 0
    assert "is not the file that" in ran.err
