"""``mmts advise`` and ``mmts cluster --sweep``."""

import glob
import itertools
import json
import shlex

import numpy as np
import pytest

from mmts_cli.advice import show
from mmts_cli.console import Output


@pytest.fixture
def embeddings(tmp_path, monkeypatch, write_artifact):
    """Forty points without clusters, in the working folder."""
    monkeypatch.chdir(tmp_path)
    matrix_nd = np.random.default_rng(0).standard_normal((40, 6))
    table = {"sample_id": [f"s{row}" for row in range(40)], "embedding": list(matrix_nd)}
    return write_artifact(tmp_path / "e.parquet", table).name


@pytest.mark.parametrize(
    "command", ["advise e.parquet --k 4,6 --seeds 2", "cluster e.parquet -o kept --sweep 4,6 --seeds 2"]
)
def test_what_it_says_fits_a_terminal_and_its_commands_work(embeddings, mmts, command, tmp_path) -> None:
    ran = mmts(*command.split())
    assert ran.code == 0
    assert ran.err == "4 clusterings of 40 samples: k 4, 6, 2 seeds each\n"
    lines = ran.out.splitlines()
    tables = [line for line in lines if "(" in line and ".." in line]
    assert len(tables) == 1 + 2 + 2 * 4  # with a heading
    assert max(map(len, tables)) <= 80
    typed = [line for line in lines if line.startswith("mmts ")]
    assert [line.split()[1] for line in typed] == ["cluster", "shifts"]
    assert lines[lines.index(typed[0]) - 1] == "to make these shifts:"
    for line in typed:
        words = [sorted(glob.glob(word)) if "*" in word else [word] for word in shlex.split(line)[1:]]
        assert mmts(*itertools.chain(*words)).code == 0, line
    assert (tmp_path / "shifts.parquet").exists()


def test_the_json_object_has_figures_words_and_commands(embeddings, mmts) -> None:
    found = json.loads(mmts("advise", embeddings, "--k", "4,6", "--seeds", "2", "--json").out)
    assert (found["command"], found["output"], found["k"], found["rule"]) == ("advise", None, [4, 6], "log")
    assert [(each["k"], each["averaged"]) for each in found["shifts"]][:2] == [(4, 1), (4, 2)]
    assert any(line.startswith(("recommended: k ", "no k is stable")) for line in found["recommendation"])
    assert all(line.startswith("mmts ") for line in found["commands"])


def result(clusterings: int | None, **changes):
    """What a sweep of 4 clusterings of 100 found, but for the figures of its table."""
    figure = {"value": 0.4, "low": 0.3, "high": 0.5}
    candidates = [
        {"k": k, "gini": 0.3, "clusterings": clusterings, "agreement": 0.91, "measured": True, "has_tail": True}
        for k in (50, 100)
    ]
    shift = {"averaged": 1, "pairs": 1, "rank_correlation": figure, "correlation": figure, "changed_thirds": figure}
    return {
        **{"source": "my texts.parquet", "output": None, "up_to_date": False, "rows": 9, "k": [50, 100], "seeds": 4},
        **{"rule": "log", "silhouette_sample": 9, "wanted": 0.9, "most": 32, "classes": None},
        "clusterings": [{"k": k, "adjusted_rand": figure, "gini": figure, "silhouette": None} for k in (50, 100)],
        "shifts": [{"k": k, **shift} for k in (50, 100)],
        **{"candidates": candidates, "advice": candidates[0] | changes},
    }


@pytest.fixture
def shown(capsys):
    """What is shown of a result, as JSON."""

    def show_it(command, found, shared=None):
        show(Output(as_json=True), command, found, shared or {})
        return json.loads(capsys.readouterr().out)

    return show_it


def test_one_clustering_is_a_file(shown) -> None:
    found = shown("advise", result(1), {"by": "text", "fit_split": "my train"})
    assert found["recommendation"][:4] == [
        "a tail: Gini of sizes 0.30 at k 50 (from 0.2 on a tail; up to 0.13 without any structure)",
        "",
        "recommended: k 50, one clustering",
        "why: the shifts of two have a rank correlation of 0.91 (goal: 0.9)",
    ]
    assert found["commands"] == [
        "mmts cluster 'my texts.parquet' -o clusters.parquet --k 50 --fit-split 'my train'",
        "mmts shifts clusters.parquet -o shifts.parquet --min 0.05 --max 0.2 --rule log",
    ]


def test_several_are_a_sweep_with_the_same_options(shown) -> None:
    shared = {"by": "joint", "media": "m.parquet", "media_weight": 0.3, "spherical": False, "niter": None}
    found = shown("advise", result(2), shared)
    assert found["recommendation"][2] == "recommended: k 50, averaged over 2 clusterings"
    assert found["commands"] == [
        "mmts cluster 'my texts.parquet' -o clusters --sweep 50 --seeds 2 --by joint --media m.parquet "
        "--media-weight 0.3 --euclidean",
        "mmts shifts clusters/k50-seed*[0-9].parquet -o shifts.parquet --min 0.05 --max 0.2 --rule log",
    ]


def test_files_are_beside_the_input(shown) -> None:
    found = shown("advise", {**result(2), "source": "my data/e.parquet"})
    assert found["commands"] == [
        "mmts cluster 'my data/e.parquet' -o 'my data/clusters' --sweep 50 --seeds 2",
        "mmts shifts 'my data/clusters/k50-seed'*[0-9].parquet -o 'my data/shifts.parquet' --min 0.05 --max 0.2 "
        "--rule log",
    ]


def test_a_pattern_takes_no_labels(tmp_path) -> None:
    for name in ("k5-seed0.parquet", "k5-seed12.parquet", "k5-seed0.labels.parquet", "k50-seed1.parquet"):
        (tmp_path / name).touch()
    assert sorted(path.name for path in tmp_path.glob("k5-seed*[0-9].parquet")) == [
        "k5-seed0.parquet",
        "k5-seed12.parquet",
    ]


@pytest.mark.parametrize(("clusterings", "commands"), [(1, ["shifts"]), (4, ["shifts"]), (5, ["cluster", "shifts"])])
def test_what_a_sweep_has_kept_is_not_made_again(shown, clusterings, commands) -> None:
    found = shown("cluster", {**result(clusterings), "output": "kept"})
    assert [line.split()[1] for line in found["commands"]] == commands
    files = found["commands"][-1].split(" -o ")[0].split()[2:]
    assert files == (["kept/k50-seed0.parquet"] if clusterings == 1 else ["kept/k50-seed*[0-9].parquet"])


def test_it_says_when_no_k_is_stable_and_when_there_is_no_tail(shown) -> None:
    found = shown("advise", result(None, has_tail=False, gini=0.12))
    assert found["recommendation"][2] == "no k is stable: 0.9 takes means of more than 32 clusterings at every k"
    assert "  clusterings that other k take: over 32 (k 100)" in found["recommendation"]
    assert found["recommendation"][0].startswith("hardly a tail: Gini of sizes 0.12 at k 50 (from 0.2 on a tail")
    assert any("mmts cluster --method knn" in line for line in found["recommendation"])


def test_a_stable_k_without_a_tail_is_not_denied(shown) -> None:
    found = result(None)
    found["candidates"][1] |= {"clusterings": 5, "has_tail": False}
    words = shown("advise", found)["recommendation"]
    assert words[2] == "no k with a tail is stable: 0.9 takes means of more than 32 clusterings at every k with a tail"
    assert "  clusterings that other k take: 5 (k 100, hardly a tail)" in words


def test_it_points_to_classes(shown) -> None:
    classes = {"annotations": "a.parquet", "columns": ["noun", "verb"]}
    words = shown("advise", {**result(1), "classes": classes})["recommendation"]
    line = "mmts cluster a.parquet -o classes.parquet --method class --column noun"
    assert f"a.parquet has classes (noun, verb), whose sizes no seed changes: {line}" in words


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("advise {e} --k 4,x", "--k 4,x: expected whole numbers separated by commas, such as 50,100,200"),
        ("advise {e} --seeds 1", "--seeds 1: expected 2 to 100"),
        ("advise {e}", "e.parquet: has only 40 distinct vectors to fit on, too few for k 50; give smaller k with --k"),
        ("advise {e} --k 4 --force", "--force: is for the file that --output names"),
        ("advise {e} --k 4 -o {e}", "both input and output"),
        ("cluster {e} -o out --sweep 4,,6", "--sweep 4,,6: expected whole numbers"),
        ("cluster {e} -o out --sweep 4 --k 5", "--k: a sweep has its own; leave it out"),
        ("cluster {e} -o out --sweep 4 --seed 5", "--seed: a sweep has its own; leave it out"),
        ("cluster {e} -o out --sweep 4 --method hdbscan", "--sweep: is for --method kmeans; leave it out with hdbscan"),
        ("cluster {e} -o out --sweep 4 --umap-dims 3", "--umap-dims: is for --method hdbscan"),
        ("cluster {e} -o out.parquet --sweep 4", "out.parquet: a sweep writes a folder"),
        ("cluster {e} -o out.parquet --k 4 --seeds 3", "--seeds: is for --sweep"),
    ],
)
def test_user_errors(embeddings, refused, tmp_path, line, message) -> None:
    assert message in refused(*line.format(e=embeddings).split())
    assert [path.name for path in tmp_path.iterdir() if path.name != embeddings] == []
