"""``mmts sweep``: flags, a TOML file, the table, and what it concludes."""

import json
import re
import subprocess
import sys

import pytest

from pipelines.sweep import open_sweep
from pipelines.sweep.words import conclusion


@pytest.fixture
def flags(world) -> list[object]:
    files = [world.annotations, "--media", world.media, "--text", world.text, "--clusters", world.clusters]
    return [*files, "--epochs", 2, "--batch-size", 16, "--dimension", 8, "--device", "cpu", "--levels", 2, "--seeds", 2]


def test_a_sweep_and_its_table_again(world, mmts, flags) -> None:
    folder = world.folder / "sweep"
    made = mmts("sweep", *flags, "-o", folder, "--strategies", "fixed,mmts+sampling", "--search", "oscillations=1,2")
    assert made.code == 0
    runs = made.err.splitlines()
    assert len(runs) == 8
    assert runs[0].startswith("1/8 fixed-infonce-trial-1 (level 0.0233): recall_sum ")
    assert runs[7].startswith("8/8 mmts+sampling-infonce-seed-2 (level ")
    assert "oscillations" in runs[7]
    lines = made.out.splitlines()
    assert lines[0] == f"{folder}: 2 settings, each the best of 2 trials by recall_sum on val, then 2 seeds on test"
    assert "head, middle, tail: sizes from clusters.parquet" in lines
    assert any(line.split()[:3] == ["on", "val", "overall"] for line in lines)
    explained = [line.strip().partition(":")[0] for line in lines if line.startswith("    ") and ": " in line]
    assert explained == ["swing", "oscillations", "tail", "rule", "power"]
    assert lines[-1] == f"what a gain on the tail costs on the head: mmts frontier {folder}"
    again = mmts("sweep", folder)
    assert again.out == made.out
    shown = json.loads(mmts("sweep", folder, "--json").out)
    assert [each["name"] for each in shown["candidates"]] == ["fixed", "mmts+sampling"]
    assert shown["runs"] == 8
    opened = open_sweep(folder)
    assert repr(opened) == f"SweepResult({folder})"
    assert len(opened.to_pandas()) == 8
    assert re.search(r"<th [^>]*>recall_sum<br>on val</th>.*<td [^>]*>mmts\+sampling</td>", opened._repr_html_())
    assert f"{folder / 'sweep.parquet'}: sweep, 8 rows" in mmts("inspect", folder / "sweep.parquet").out
    assert f"{folder / 'frequency.parquet'}: frequency, " in mmts("inspect", folder / "frequency.parquet").out


def test_flags_from_a_toml_file(world, mmts, flags) -> None:
    given = {"annotations": str(world.annotations), "strategies": ["fixed", "learned"], "levels": 3, "seeds": 1}
    given |= {"media": str(world.media), "text": str(world.text), "epochs": 1, "batch-size": 16, "device": "cpu"}
    file = world.folder / "sweep.toml"
    file.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in given.items()))
    made = mmts("sweep", file, "-o", world.folder / "sweep", "--levels", 1)
    assert made.code == 0, made.err
    assert "2 settings, each the best of 1 trial by recall_sum on val, then 1 seed on test" in made.out
    assert made.out.count("a verdict needs two seeds or more: raise --seeds") == 1
    assert "difference seen" not in made.out


def test_the_best_setting_is_trained(world, mmts, flags) -> None:
    folder = world.folder / "sweep"
    assert mmts("sweep", *flags, "-o", folder, "--strategies", "fixed").code == 0
    trained = mmts("sweep", folder, "--train")
    assert trained.out.splitlines()[-1] == f"{folder / 'best'}: the best setting, trained"
    assert (folder / "best" / "model").is_dir()


def test_flags_of_a_sweep_are_refused_where_one_is_shown(world, mmts) -> None:
    for flags in (["--levels", 3], ["-o", "x"], ["--jobs", 2, "--json"], ["--train", "--lr", 0.1]):
        refused = mmts("sweep", world.folder, *flags)
        assert (refused.code, refused.out) == (2, "")
        assert "is a folder, so what it found is shown; leave --" in refused.err


@pytest.mark.slow
def test_processes_end_with_a_sweep_that_is_killed(world, flags) -> None:
    command = [sys.executable, "-m", "mmts_cli", "sweep", *map(str, flags), "-o", str(world.folder / "sweep")]
    with subprocess.Popen([*command, "--jobs", "2"], stderr=subprocess.PIPE, text=True) as made:
        assert made.stderr is not None
        assert made.stderr.readline().startswith("needs about")
        assert made.stderr.readline().startswith("1/")
        made.kill()
        made.communicate(timeout=300)  # to the end of what its processes could still write


def candidate(name: str, **differences: tuple[float, float, float, str]) -> dict:
    of = {
        segment: {"mean": {"mean_recall": dict(zip(("value", "low", "high", "verdict"), each, strict=True))}}
        for segment, each in differences.items()
    }
    return {"name": name, "at_edge": False, **({"differences": of} if of else {})}


def test_names_with_commas_are_told_apart() -> None:
    losses = [candidate(f"fixed, {loss}", tail=(2.5, 1.0, 4.0, "better")) for loss in ("sigmoid", "max-margin")]
    result = {"candidates": losses, "baseline": "fixed, infonce", "best": "fixed, sigmoid", "seeds": 5, "trials": 8}
    assert next(conclusion(result | {"metric": "recall_sum", "val_split": "val"})) == (
        "tail: better than fixed, infonce: fixed, sigmoid by 2.5 points (1.0 to 4.0); fixed, max-margin by 2.5 points "
        "(1.0 to 4.0)"
    )


def test_the_conclusion_in_words() -> None:
    unsure = "no difference seen (could be up to 1.5)"
    candidates = [
        candidate("fixed"),
        candidate("ts", overall=(0.5, -0.5, 1.5, unsure), tail=(2.5, 1.0, 4.0, "better"), head=(-3, -4, -2, "worse")),
        candidate("mmts", overall=(-2.0, -3, -1, "worse"), tail=(3.1, 1.0, 4.0, "better"), head=(0.1, -1, 1.2, unsure)),
    ]
    result = {"candidates": candidates, "baseline": "fixed", "best": "ts", "seeds": 5, "trials": 8}
    result |= {"metric": "recall_sum", "val_split": "val"}
    assert list(conclusion(result)) == [
        "overall: worse than fixed: mmts by 2.0 points (1.0 to 3.0)",
        "overall: no difference seen from fixed: ts (could be up to 1.5 points)",
        "tail: better than fixed: ts by 2.5 points (1.0 to 4.0), mmts by 3.1 points (1.0 to 4.0)",
        "head: worse than fixed: ts by 3.0 points (2.0 to 4.0)",
        "head: no difference seen from fixed: mmts (could be up to 1.2 points)",
        "the intervals of a column hold together 19 times in 20, over seeds and test queries; other training data, or "
        "more than 8 trials of each strategy, may answer otherwise",
        "best by recall_sum on val, mean of 5 seeds: ts",
    ]
