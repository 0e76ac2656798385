"""Is a stage's output up to date, and may it be overwritten."""

import dataclasses
import warnings

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import StagePlan, fingerprint_of
from pipelines.artifacts.provenance import stage_fingerprint
from pipelines.errors import InputError

SCHEMA = pa.schema([("x", pa.int64())])


def plan(tmp_path, seed=0, stage="double", text="1", **parameters) -> StagePlan:
    (tmp_path / "in.csv").write_text(text)
    return StagePlan(stage, tmp_path / "out.parquet", parameters, {"source": tmp_path / "in.csv"}, seed=seed)


def run(work: StagePlan) -> None:
    with work.writer(SCHEMA) as writer:
        writer.summary = {"rows": 1}
        writer.write(pa.table({"x": [1]}))


def test_there_is_work_where_there_is_no_output(tmp_path) -> None:
    assert plan(tmp_path).finished(force=False) is None


def test_the_same_plan_again_is_up_to_date_and_reports_the_same(tmp_path) -> None:
    run(plan(tmp_path, k=2))
    result = plan(tmp_path, k=2).finished(force=False)
    assert result is not None
    assert (result.up_to_date, result.summary, result.output) == (True, {"rows": 1}, tmp_path / "out.parquet")
    assert plan(tmp_path, k=2).finished(force=True) is None


@pytest.mark.parametrize("change", [{"k": 3}, {"seed": 1}, {"stage": "treble"}, {"text": "2"}])
def test_any_change_is_work(tmp_path, change) -> None:
    run(plan(tmp_path, k=2))
    assert plan(tmp_path, **{"k": 2, **change}).finished(force=False) is None


def test_an_output_of_earlier_results_is_made_again(tmp_path) -> None:
    run(plan(tmp_path))
    later = dataclasses.replace(plan(tmp_path), results=2)
    assert later.finished(force=False) is None
    run(later)
    assert later.finished(force=False).up_to_date
    assert plan(tmp_path).finished(force=False) is None
    assert pd.read_parquet(tmp_path / "out.parquet")["x"].tolist() == [1]


def test_outputs_written_before_there_were_numbers_are_up_to_date(tmp_path) -> None:
    made = plan(tmp_path, k=2)
    inputs = {"source": fingerprint_of(tmp_path / "in.csv")}
    assert made.fingerprint == stage_fingerprint("double", {"k": 2, "seed": 0}, inputs)


def by_hand(path) -> None:
    pd.read_parquet(path).to_parquet(path)


@pytest.mark.parametrize(
    "change",
    [by_hand, lambda path: path.write_text("notes of mine"), lambda path: path.write_bytes(path.read_bytes()[:-9])],
    ids=["rewritten", "not Parquet", "truncated"],
)
def test_an_output_that_is_not_as_written_is_kept_unless_forced(tmp_path, change) -> None:
    run(plan(tmp_path))
    change(tmp_path / "out.parquet")
    before = (tmp_path / "out.parquet").read_bytes()
    with pytest.raises(InputError, match=r"out\.parquet: exists and was not written by mmts, .* use --force"):
        plan(tmp_path).finished(force=False)
    assert (tmp_path / "out.parquet").read_bytes() == before
    assert plan(tmp_path).finished(force=True) is None


def test_the_footer_says_what_made_it(tmp_path) -> None:
    provenance = plan(tmp_path, seed=7, k=2).provenance()
    assert (provenance.stage, provenance.parameters, provenance.seed) == ("double", {"k": 2}, 7)
    assert provenance.inputs["source"]["name"] == "in.csv"
    assert set(provenance.libraries) == {"mmts", "pyarrow"}


def test_an_output_cant_be_an_input(tmp_path) -> None:
    (tmp_path / "in.csv").write_text("x")
    with pytest.raises(InputError, match="is both input and output"):
        StagePlan("copy", tmp_path / "sub" / ".." / "in.csv", {}, {"source": tmp_path / "in.csv"})


def test_an_input_without_footer_is_warned_of_unless_that_is_the_rule(tmp_path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "in.parquet")
    arguments = ("double", tmp_path / "out.parquet", {}, {"source": tmp_path / "in.parquet"})
    with pytest.warns(UserWarning, match=r"in\.parquet: no mmts footer"):
        StagePlan(*arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        StagePlan(*arguments, foreign=("source",))


def test_a_damaged_output_is_made_again_and_an_edited_one_kept(tmp_path) -> None:
    run(plan(tmp_path))
    output = tmp_path / "out.parquet"
    whole = output.read_bytes()
    place = whole.rindex(b"PAR1", 0, 8) + 40  # within the only page
    output.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.warns(UserWarning, match="out.parquet: damaged since mmts wrote it; made again"):
        assert plan(tmp_path).finished(force=False) is None
    output.write_bytes(whole)
    footer = pq.read_schema(output).metadata
    pq.write_table(pa.table({"x": [2]}).replace_schema_metadata(footer), output)
    with pytest.raises(InputError, match="was changed since"):
        plan(tmp_path).finished(force=False)
