"""A small project with hostile texts, made by the stages themselves."""

import shutil
from pathlib import Path

import pyarrow as pa
from tiny_world import TinyWorld, make_tiny_world, write_artifact

from pipelines.artifacts import LABELS, StagePlan, labels_path
from pipelines.evaluate import evaluate
from pipelines.train import train

ATTACKS = (
    "</script><script>window.hacked = 1</script>",
    '<img src="x" onerror="window.hacked = 2">',
    "\"quotes\", 'quotes' & &amp; <b>bold</b>",
    "שלום עולם",
    "a family 👩‍👩‍👧 on a beach",
    "{{ 7 * 7 }} {% raw %} \u2028 \\u003c ]]> <!--",
    "https://example.org/a?b=1&c=2",
)


def make_project(folder: Path) -> TinyWorld:
    """Annotations, embeddings, images, clusters with labels, shifts, a run and its scores; texts are `ATTACKS`."""
    folder.mkdir()
    world = make_tiny_world(folder, write_artifact)

    def attacked(table: pa.Table) -> pa.Table:
        texts = [f"{ATTACKS[row % len(ATTACKS)]} {row}" for row in range(table.num_rows)]
        return table.set_column(table.column_names.index("text"), "text", [texts])

    world.rewrite("annotations", attacked)
    write_labels(world)
    world.images("images.zip")
    shutil.rmtree(folder / "images")
    config = world.config("run", temperature="mmts", tau=None, alpha=0.04, shifts=world.shifts, epochs=3)
    train(config)
    evaluate(folder / "scores", run=folder / "run", resamples=50)
    return world


def write_labels(world: TinyWorld) -> None:
    """Labels as ``mmts cluster`` writes them."""
    plan = StagePlan("labels", labels_path(world.clusters), {}, {"clusters": world.clusters})
    numbers = list(range(4))
    words = [[ATTACKS[0], f"word{number}"] for number in numbers]
    columns = {"cluster": numbers, "cluster_size": [4, 12, 24, 56], "words": words, "texts": [ATTACKS[1:3]] * 4}
    table = pa.table(columns, schema=pa.schema(LABELS.columns))
    with plan.writer(table.schema) as writer:
        writer.write(table)
