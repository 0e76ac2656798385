"""The table of docs/determinism.md: each of its "yes" is held by a test, here or in the file of what it is about."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from every_stage import STAGES
from tiny_world import TEXT_SIZE, make_tiny_world, write_artifact, write_tower_config

from pipelines.artifacts import vector_type

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "determinism.md"
HERE = ("repeated", "threads")
ELSEWHERE = {
    ("embed, texts", "blocks"): "embed/test_embed_stage.py::test_rows_keep_their_order_whatever_the_window",
    ("embed, texts", "processes"): "engines/test_ray_workers.py::"
    "test_texts_have_the_bytes_of_the_local_engine_though_a_worker_is_killed",
    ("embed, texts", "resumed"): "embed/test_parts.py::test_killed_at_twenty_moments_it_ends_with_the_same_bytes",
    ("embed, images or clips", "processes"): "engines/test_ray_workers.py::"
    "test_clips_have_the_bytes_of_the_local_engine",
    ("embed, images or clips", "resumed"): "embed/test_parts.py::test_media_go_on_too_and_damaged_ones_are_told_again",
    ("cluster, kmeans", "blocks"): "cluster/test_centroids.py::test_threads_and_blocks_change_no_bit",
    ("cluster, kmeans", "processes"): "engines/test_ray_workers.py::test_clusters_have_the_bytes_of_the_local_engine",
    ("cluster, knn", "blocks"): "cluster/methods/test_knn.py::"
    "test_counts_are_the_same_to_the_last_whatever_the_blocks_and_the_threads",
    ("cluster, knn", "processes"): "engines/test_ray_workers.py::test_clusters_have_the_bytes_of_the_local_engine",
    ("cluster, class", "processes"): "engines/test_ray_workers.py::test_classes_have_the_bytes_of_the_local_engine",
    ("train, features", "blocks"): "train/test_vectors_on_disk.py::test_vectors_on_the_disk_give_the_same_run",
    ("train, features", "resumed"): "train/test_never_lost.py::test_twenty_kills",
    **{
        (stage, "machines"): "test_machines.py::test_columns_are_those_of_other_machines"
        for stage in ("prepare", "cluster, kmeans", "cluster, knn", "shifts", "eval of two files")
    },
    ("eval of two files", "blocks"): "scores/test_ranks.py::test_block_size_changes_no_rank_even_with_duplicates",
}


def table() -> dict[str, dict[str, str]]:
    """The cells of the page's first table, by stage and column."""
    lines = next(block for block in PAGE.read_text().split("\n\n") if block.startswith("| ")).splitlines()
    (_, *names), _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {stage.replace("`", ""): dict(zip(names, cells, strict=True)) for stage, *cells in rows}


TABLE = table()
HELD = [(stage, column) for stage, cells in TABLE.items() for column, cell in cells.items() if cell == "yes"]
EVERYWHERE = [stage for stage in STAGES if (stage, "threads") in HELD]


def test_the_table_has_every_stage_and_three_words() -> None:
    assert list(TABLE) == list(STAGES)
    assert {cell for cells in TABLE.values() for cell in cells.values()} == {"yes", "no", "-"}


def test_what_is_held_elsewhere_is_a_test() -> None:
    assert {cell for cell in HELD if cell[1] not in HERE} == set(ELSEWHERE)
    for place in ELSEWHERE.values():
        file, name = place.split("::")
        assert f"def {name}(" in (TESTS / file).read_text()


def digests(folder: Path, stages: list[str], threads: int, order: int) -> dict[str, dict[str, str]]:
    """What stages give in a process with so many threads, and another order of sets."""
    chosen = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", TESTS / "every_stage.py", folder, *stages],
        env={**os.environ, **chosen, "PYTHONHASHSEED": str(order)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, str]] = json.loads(ran.stdout)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The files that `STAGES` read."""
    from tiny_models import write_clip, write_sentence_model

    from mmts_cli.app import app
    from mmts_cli.command import run_app

    folder = tmp_path_factory.mktemp("world")
    world = make_tiny_world(folder, write_artifact)
    world.images()
    write_tower_config(folder / "vit", "vit")
    write_sentence_model(folder / "model")
    write_clip(folder / "clip")
    (folder / "captions.csv").write_text("caption\n" + "".join(f"caption {row * 7 % 13}\n" for row in range(50)))
    (folder / "files").mkdir()
    for name in ("annotations", "clusters", "shifts"):
        shutil.copy(folder / f"{name}.parquet", folder / "files")
    rng = np.random.default_rng(0)
    rows_nd = rng.standard_normal((60, 16))[rng.integers(60, size=3_000)] + 0.3 * rng.standard_normal((3_000, 16))
    embedding = pa.array(rows_nd.astype(np.float32).tolist(), vector_type(16))
    write_artifact(folder / "many.parquet", {"sample_id": [f"s{row}" for row in range(3_000)], "embedding": embedding})
    short = [world.features[each][:TEXT_SIZE].tolist() for each in world.media_ids]
    columns = {"media_id": world.media_ids, "embedding": pa.array(short, vector_type(TEXT_SIZE))}
    write_artifact(folder / "short.parquet", columns)
    size_n = rng.integers(1, 90_000, 100_000)  # as many as several threads of torch divide among them
    columns = {"sample_id": [str(row) for row in range(len(size_n))], "cluster": pa.array(size_n, pa.int32())}
    write_artifact(folder / "sizes.parquet", {**columns, "cluster_size": size_n})
    mmts = {"temperature": "mmts", "tau": None, "shifts": world.shifts, "alpha": 0.04, "oscillations": 1}
    for run, scores, changes in (("run", "fixed", {}), ("balanced", "mmts", mmts)):
        assert run_app(app, world.command(run, epochs=1, **changes)) == 0
        assert run_app(app, ["eval", str(folder / run), "-o", str(folder / scores), "--resamples", "20"]) == 0
    return folder


@pytest.fixture(scope="module")
def found(made) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """What each stage gives twice: the second time with another number of threads, where the table says yes to that."""
    first = digests(made, list(STAGES), threads=1, order=1)
    again = digests(made, EVERYWHERE, threads=2, order=2)
    again |= digests(made, [stage for stage in STAGES if stage not in again], threads=1, order=3)
    return {stage: (first[stage], again[stage]) for stage in STAGES}


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage, column in HELD if column == "repeated"])
def test_bytes_are_the_same(found, stage) -> None:
    first, again = found[stage]
    assert first
    assert first == again
