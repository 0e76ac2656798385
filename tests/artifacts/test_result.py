"""A stage's result as a pandas table, and as rich shows it."""

import math
import re
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.artifacts import StageResult
from pipelines.errors import InputError

SCORES = {
    "overall": {"text_to_media": {"recall@1": {"value": 12.5, "low": 10.0, "high": 15.25}}},
    "tail": {"mean": {"median_rank": {"value": None, "low": None, "high": None}}},
}


def shown(result: StageResult) -> list[str]:
    console = Console(width=90)
    with console.capture() as capture:
        console.print(result)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_rows_of_the_file(tmp_path, write_artifact) -> None:
    path = write_artifact(tmp_path / "c.parquet", {"sample_id": ["a", "b"], "cluster_size": [5, 7]})
    table = StageResult(path, False, {"rows": 2}).to_pandas()
    assert table.to_dict("list") == {"sample_id": ["a", "b"], "cluster_size": [5, 7]}


def test_the_steps_of_a_run(tmp_path, write_artifact) -> None:
    write_artifact(tmp_path / "steps.parquet", {"step": [1, 2], "loss": [0.5, 0.25]})
    assert StageResult(tmp_path, False, {"steps": 2}).to_pandas()["loss"].tolist() == [0.5, 0.25]


def test_scores_are_a_row_each(tmp_path) -> None:
    table = StageResult(tmp_path, True, {"protocol": "pairs", "scores": SCORES}).to_pandas()
    assert table.columns.tolist() == ["segment", "direction", "metric", "value", "low", "high"]
    first, second = table.to_dict("split")["data"]
    assert first == ["overall", "text_to_media", "recall@1", 12.5, 10.0, 15.25]
    assert second[:3] == ["tail", "mean", "median_rank"]
    assert all(math.isnan(number) for number in second[3:])


def test_a_folder_without_a_table_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"steps\.parquet: no such file"):
        StageResult(tmp_path, False, {"scores": "eval", "to": "onnx"}).to_pandas()


def test_rich_shows_each_figure_on_a_line() -> None:
    summary = {"rows": 12345, "gini": 0.44721, "thirds": {"edges": [3, 9.5]}, "[note]": "[b]", "scores": SCORES}
    assert shown(StageResult(Path("c.parquet"), True, summary)) == [
        "c.parquet: up to date",
        "rows                                   12,345",
        "gini                                   0.4472",
        "thirds edges                           3, 9.5",
        "[note]                                 [b]",
        "scores overall text_to_media recall@1  12.5 (10 to 15.25)",
        "scores tail mean median_rank           -",
    ]


def test_its_repr_is_short(tmp_path) -> None:
    assert repr(StageResult(Path("c.parquet"), False, {"scores": SCORES})) == "StageResult(c.parquet: written)"


def test_notebooks_show_each_figure_in_a_row() -> None:
    html = StageResult(Path("<c>.parquet"), True, {"rows": 12345, "[note]": "<b>"})._repr_html_()
    assert re.sub(" style=[^>]*", "", html) == (
        "<p>&lt;c&gt;.parquet: up to date</p>\n<table><tbody>"
        "<tr><td>rows</td><td>12,345</td></tr><tr><td>[note]</td><td>&lt;b&gt;</td></tr></tbody></table>"
    )
