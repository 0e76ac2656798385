"""Thirds of a run by a source that was declared, whatever its strategy."""

import pyarrow as pa
import pytest
from tiny_world import TinyWorld

from pipelines.artifacts import read_provenance
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.train import train


@pytest.fixture
def declared(world: TinyWorld) -> TinyWorld:
    """Its annotations have a column of classes: the clusters."""
    world.rewrite(
        "annotations",
        lambda table: table.append_column(
            "kind", pa.array([f"kind {world.cluster[each]}" for each in table["sample_id"].to_pylist()])
        ),
    )
    return world


def by_kind(world: TinyWorld) -> TinyWorld:
    return world.config("run", frequency="kind", metric="tail_recall_sum")


def test_a_run_without_shifts_is_scored_by_thirds(declared) -> None:
    run = train(by_kind(declared))
    assert "tail_recall_sum" in run.summary["validation"]
    assert read_provenance(run.output / "steps.parquet").parameters["frequency"] == "kind"
    metrics = evaluate(declared.folder / "scores", run=run.output, resamples=0).summary
    assert metrics["cluster_sizes"] == "sizes of the classes in column kind, which the run was trained with"
    assert set(metrics["thirds"]) > {"edges"}
    assert train(by_kind(declared)).up_to_date


def test_what_is_declared_wins_over_the_shifts_of_the_strategy(declared) -> None:
    one_size = declared.rewrite(
        "clusters",
        lambda table: table.set_column(
            table.column_names.index("cluster_size"), "cluster_size", pa.array([7] * len(table), pa.int64())
        ),
        "one.parquet",
    )
    options = {"temperature": "mmts", "tau": None, "alpha": 0.02, "shifts": declared.shifts}
    by_shifts = train(declared.config("a", **options)).summary["validation"]
    by_file = train(declared.config("b", **options, frequency=str(one_size)))
    assert "tail_recall_sum" in by_shifts
    assert "tail_recall_sum" not in by_file.summary["validation"]  # all are of one size, and so in the middle
    provenance = read_provenance(by_file.output / "steps.parquet")
    assert provenance.inputs["frequency"]["name"] == "one.parquet"
    assert "frequency" not in provenance.parameters
    scored = evaluate(declared.folder / "scores", run=by_file.output, resamples=0).summary
    assert scored["cluster_sizes"] == "sizes from one.parquet, which the run was trained with"


def test_clusters_serve_where_nothing_is_declared(declared) -> None:
    run = train(declared.config("run", weight=0.5, clusters=declared.clusters, metric="tail_recall_sum"))
    assert "tail_recall_sum" in run.summary["validation"]
    metrics = evaluate(declared.folder / "scores", run=run.output, resamples=0).summary
    assert metrics["cluster_sizes"] == "sizes from clusters.parquet, which the run was trained with"


def test_a_source_that_is_none_is_refused(declared) -> None:
    with pytest.raises(InputError, match=r"--frequency kinds: neither a file nor a column of .* did you mean 'kind'"):
        train(declared.config("run", frequency="kinds"))
    with pytest.raises(InputError, match="--frequency has no effect with --val-split none"):
        declared.config("run", frequency="kind", val_split="none")
