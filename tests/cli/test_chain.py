"""The stages end to end, from the command line."""

import json
import os

import pandas as pd
import pyarrow.parquet as pq
import pytest

from .conftest import CAPTIONS, STAGES


def states(folder):
    return {name: ((folder / name).stat().st_mtime_ns, (folder / name).stat().st_ino) for name in STAGES}


def test_people_are_told_what_was_made(chain, fake_encoder) -> None:
    ran = chain()
    assert [(result.code, result.err) for result in ran.values()] == [(0, "")] * 4
    out = {name: result.out.splitlines() for name, result in ran.items()}
    assert out["annotations.parquet"] == [
        "annotations.parquet: written",
        "24 samples, 9 distinct texts, 12 media",
        "splits: train 18, test 6",
    ]
    assert out["embeddings.parquet"][1:] == [
        "24 rows, 9 distinct texts encoded, 8 dimensions",
        "0 texts truncated at the model's 6 tokens",
    ]
    assert out["clusters.parquet"][1].startswith("4 clusters of 18 fitted rows (24 in all): largest ")
    assert "Gini 0." in out["clusters.parquet"][1]
    assert out["clusters.parquet"][2].startswith("the largest tenth (1 clusters) holds ")
    assert out["shifts.parquet"][1].startswith("24 shifts, mean of 1 clustering: min 0.05, ")
    assert len(out["shifts.parquet"]) == 12
    assert len(fake_encoder.texts) == 9


def test_a_second_run_does_no_work(made, chain, fake_encoder) -> None:
    before = states(made)
    ran = chain()
    assert [result.out.splitlines()[0] for result in ran.values()] == [f"{name}: up to date" for name in STAGES]
    assert states(made) == before
    assert len(fake_encoder.texts) == 9


def test_figures_are_the_same_when_up_to_date(chain) -> None:
    first, second = chain("--json"), chain("--json")
    for name in STAGES:
        was, now = json.loads(first[name].out), json.loads(second[name].out)
        assert (was.pop("up_to_date"), now.pop("up_to_date")) == (False, True)
        assert was == now


def test_one_flag_changed_reruns_that_stage_and_what_depends_on_it(made, mmts, chain) -> None:
    before = states(made)
    mmts("cluster", "embeddings.parquet", "-o", "clusters.parquet", "--k", 3)
    mmts(*STAGES["shifts.parquet"].split(), "-o", "shifts.parquet")
    after = states(made)
    changed = [name for name in STAGES if before[name] != after[name]]
    assert changed == ["clusters.parquet", "shifts.parquet"]


def test_one_input_changed_reruns_everything(made, chain) -> None:
    before = states(made)
    (made / "captions.csv").write_text(CAPTIONS.replace("caption number 0", "another caption"))
    chain()
    after = states(made)
    assert all(before[name] != after[name] for name in STAGES)


def test_an_input_touched_but_not_changed_is_no_work(made, chain) -> None:
    before = states(made)
    os.utime(made / "captions.csv", ns=(1, 1))
    chain()
    assert states(made) == before


def test_force_works_again(made, mmts) -> None:
    before = states(made)
    assert mmts(*STAGES["clusters.parquet"].split(), "-o", "clusters.parquet", "--force").out.startswith(
        "clusters.parquet: written"
    )
    assert states(made)["clusters.parquet"] != before["clusters.parquet"]


@pytest.mark.parametrize("stage", ["embeddings.parquet", "clusters.parquet", "shifts.parquet"])
def test_an_input_rewritten_by_pandas_works_with_a_warning(made, mmts, stage) -> None:
    arguments = STAGES[stage].split()
    source = arguments[1]
    expected = pq.read_table(stage)
    pd.read_parquet(source).to_parquet(source)
    ran = mmts(*arguments, "-o", stage)
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"{stage}: written"
    warning = f"warning: {source}: no mmts footer (edited or written by another tool); used as it is\n"
    assert ran.err == warning
    assert pq.read_table(stage).to_pydict() == expected.to_pydict()


@pytest.mark.parametrize("stage", STAGES)
def test_an_output_edited_by_hand_is_kept_unless_forced(made, mmts, refused, stage) -> None:
    pd.read_parquet(stage).to_parquet(stage)
    before = (made / stage).read_bytes()
    message = refused(*STAGES[stage].split(), "-o", stage)
    assert message.startswith(f"{stage}: exists and was not written by mmts, or was changed since; use --force")
    assert (made / stage).read_bytes() == before
    assert mmts(*STAGES[stage].split(), "-o", stage, "--force").code == 0
    assert (made / stage).read_bytes() != before


def test_the_same_kmeans_makes_the_same_bytes(made, mmts) -> None:
    for name in ("one.parquet", "two.parquet"):
        mmts("cluster", "embeddings.parquet", "-o", name, "--k", 3, "--seed", 5)
    assert (made / "one.parquet").read_bytes() == (made / "two.parquet").read_bytes()


@pytest.mark.parametrize("output", STAGES)
def test_json_is_one_object_and_nothing_else(work, chain, output) -> None:
    ran = chain("--json")[output]
    assert ran.out.count("\n") == 1
    printed = json.loads(ran.out)
    assert printed["command"] == " ".join(STAGES[output].split()[: 2 if "prepare" in STAGES[output] else 1])
    assert (printed["output"], printed["up_to_date"], printed["rows"]) == (output, False, 24)
    assert ran.err == ""


def test_quiet_prints_nothing(chain, work) -> None:
    assert [(ran.code, ran.out, ran.err) for ran in chain("--quiet").values()] == [(0, "", "")] * 4


def test_quiet_leaves_out_warnings_and_json_leaves_them_on_stderr(made, mmts) -> None:
    pd.read_parquet("clusters.parquet").assign(cluster_size=5).to_parquet("clusters.parquet")
    quiet = mmts(*STAGES["shifts.parquet"].split(), "-o", "one.parquet", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    as_json = mmts(*STAGES["shifts.parquet"].split(), "-o", "two.parquet", "--json")
    assert json.loads(as_json.out)["shift_mean"] == pytest.approx(0.125)
    lines = as_json.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["warning", "warning"]
    assert "all clusters have 5 samples" in lines[1]


def test_inspect_shows_what_a_file_holds_and_what_made_it(made, mmts) -> None:
    out = mmts("inspect", "clusters.parquet", "--rows", 2).out
    lines = out.splitlines()
    assert lines[0].startswith("clusters.parquet: clusters, 24 rows in 1 row groups")
    assert "made by  cluster from embeddings embeddings.parquet" in lines
    assert "with     method=kmeans, fit_split=None, k=4" in out
    assert "seed=0" in out
    assert "numpy" in out
    assert out.count(".jpg#") == 2


@pytest.mark.parametrize("columns", ["40", "200"])
def test_inspect_leaves_no_column_out_on_any_terminal(made, mmts, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    first = pq.read_table("annotations.parquet").slice(0, 1).to_pylist()[0]
    shown = mmts("inspect", "annotations.parquet", "--rows", 1).out.split("statistics")[1]
    for name, value in first.items():
        assert name in shown
        assert "".join(str(value).split()) in "".join(shown.split())


def test_inspect_as_json(made, mmts) -> None:
    printed = json.loads(mmts("inspect", "embeddings.parquet", "--json").out)
    assert (printed["command"], printed["kind"], printed["rows"]) == ("inspect", "embeddings", 24)
    assert printed["provenance"]["parameters"]["dtype"] == "float32"
    assert len(printed["first_rows"]) == 5


def test_inspect_of_a_file_of_another_tool(work, mmts) -> None:
    pd.DataFrame({"x": [1, 2]}).to_parquet("other.parquet")
    out = mmts("inspect", "other.parquet").out
    assert "a Parquet file, not of a kind that mmts writes" in out
    assert "no mmts footer" in out


def test_names_in_brackets_are_shown_as_they_are(work, mmts) -> None:
    out = mmts(*STAGES["annotations.parquet"].split(), "-o", "[red]:cat:.parquet").out
    assert out.startswith("[red]:cat:.parquet: written\n")
    pd.DataFrame({"[bold]": [":cat:"]}).to_parquet("x.parquet")
    out = mmts("inspect", "x.parquet").out
    assert out.count("[bold]") == 2
    assert ":cat:" in out


def test_flickr8k_and_classes(work, mmts) -> None:
    (work / "images").mkdir()
    for image in range(12):
        (work / "images" / f"{image}.jpg").write_text("x")
    ran = mmts("prepare", "flickr8k", "--captions", "captions.csv", "--images", "images", "-o", "a.parquet")
    assert ran.out.splitlines()[1] == "24 samples, 9 distinct texts, 12 media"
    ran = mmts("cluster", "a.parquet", "-o", "c.parquet", "--method", "class", "--column", "noun", "--column", "split")
    assert ran.out.splitlines()[1].startswith("3 clusters of 18 fitted rows (24 in all): largest 6, smallest 6")
    assert pq.read_table("c.parquet").column("cluster_size").to_pylist()[3] == 0


def test_noise_is_counted(made, mmts) -> None:
    options = ("--method", "hdbscan", "--umap-dims", 0, "--min-cluster-size", 2)
    ran = mmts("cluster", "embeddings.parquet", "-o", "d.parquet", *options)
    labels = pq.read_table("d.parquet").column("cluster").to_pylist()
    split = pq.read_table("embeddings.parquet").column("split").to_pylist()
    noise, fitted = labels.count(-1), list(zip(labels, split, strict=True)).count((-1, "train"))
    assert f" clusters and {fitted} rows of noise, each of size 1, of " in ran.out.splitlines()[1]
    assert f"{noise} of 24 rows are noise, in no cluster: each counts as a cluster of size 1" in ran.err


def test_embed_with_the_default_model(work, mmts, minilm, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.embed.stage.SentenceEncoder", lambda *_, **__: minilm)
    mmts(*STAGES["annotations.parquet"].split(), "-o", "a.parquet")
    ran = mmts("embed", "a.parquet", "-o", "e.parquet", "--dtype", "float16")
    assert ran.out.splitlines()[1:] == [
        "24 rows, 9 distinct texts encoded, 384 dimensions",
        "0 texts truncated at the model's 256 tokens",
    ]
    assert ran.err == ""
