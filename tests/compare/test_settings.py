"""Runs grouped by setting, and the verdicts on settings of several seeds."""

import json

import pytest

from pipelines.compare import compare
from pipelines.scores import judge

WEAK, STRONG = {"temperature": "fixed", "tau": 0.1}, {"temperature": "mmts", "alpha": 0.04}
FILES = {"text": {"name": "embeddings.parquet", "fingerprint": "a"}}
RENAMED = {"text": {"name": "other.parquet", "fingerprint": "a"}}


@pytest.fixture
def trained(gallery):
    """Score a model into a folder as a run that was trained with some parameters and a seed."""

    def make(name, parameters, seed, noise, inputs=FILES):
        folder = gallery.scored(name, seed, noise)
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics["trained"] = {"parameters": {"epochs": 30, **parameters}, "inputs": inputs, "seed": seed}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        return folder

    return make


@pytest.fixture
def six(trained):
    """Three seeds of a weak setting and of a strong one, in no order."""
    weak = [trained(f"weak{seed}", WEAK, seed, 1.5) for seed in range(3)]
    strong = [trained(f"strong{seed}", STRONG, seed, 0.2) for seed in range(3)]
    return [weak[0], strong[2], weak[1], weak[2], strong[0], strong[1]]


def test_runs_that_differ_in_the_seed_are_one_setting(six) -> None:
    result = compare(six)
    assert result["settings"] == [
        {
            "name": "temperature fixed, tau 0.1",
            "folders": [str(six[row]) for row in (0, 2, 3)],
            "seeds": [0, 1, 2],
        },
        {
            "name": "temperature mmts, alpha 0.04",
            "folders": [str(six[row]) for row in (1, 4, 5)],
            "seeds": [2, 0, 1],
        },
    ]
    [comparison] = result["comparisons"]
    assert (comparison["setting"], comparison["baseline"]) == (
        "temperature mmts, alpha 0.04",
        "temperature fixed, tau 0.1",
    )


def test_differences_are_judged_over_seeds(six, gallery) -> None:
    [comparison] = compare(six)["comparisons"]
    weak = [gallery.evaluation(seed, 1.5).queries for seed in range(3)]
    strong = [gallery.evaluation(seed, 0.2).queries for seed in (2, 0, 1)]
    for segment, directions in judge(weak, strong).items():
        for direction, metrics in directions.items():
            for name, expected in metrics.items():
                entry = comparison["differences"][segment][direction][name]
                assert (entry["value"], entry["low"], entry["high"]) == pytest.approx(
                    (expected.value, expected.low, expected.high), abs=1e-9
                )
                assert entry["verdict"] == expected.words
    assert comparison["differences"]["overall"]["mean"]["recall@1"]["verdict"] == "better"


def test_more_settings_widen_every_interval(six, trained) -> None:
    third = [trained(f"third{seed}", {"temperature": "learned"}, seed, 0.9) for seed in range(2)]
    [alone] = compare(six)["comparisons"]
    first, _ = compare([*six, *third])["comparisons"]
    narrow, wide = (each["differences"]["overall"]["mean"]["recall@1"] for each in (alone, first))
    assert wide["value"] == narrow["value"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_one_seed_on_one_side_gets_no_verdict(six, trained) -> None:
    single = trained("single", {"temperature": "learned"}, 0, 0.2)
    _, last = compare([*six, single])["comparisons"]
    entry = last["differences"]["overall"]["mean"]["recall@1"]
    assert (entry["low"], entry["high"], entry["verdict"]) == (None, None, "needs more seeds")


def test_a_setting_is_known_by_what_its_files_hold(trained, refused) -> None:
    one, two = trained("one", WEAK, 0, 0.5), trained("two", WEAK, 1, 0.5, RENAMED)
    assert "runs of one setting" in refused("compare", one, two)
    other = trained("other", WEAK, 1, 0.5, {"text": {"name": "embeddings.parquet", "fingerprint": "b"}})
    assert [each["name"] for each in compare([one, other])["settings"]] == [str(one), str(other)]


def test_one_seed_twice_is_refused(trained, refused) -> None:
    one, again = trained("one", WEAK, 0, 0.5), trained("again", WEAK, 0, 0.5)
    other = trained("other", STRONG, 0, 0.5)
    assert refused("compare", one, other, again) == (
        f"{again}: scores seed 0 of the same setting as {one}; leave one out, or train with another --seed"
    )


def test_words_for_people(six, mmts, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = mmts("compare", *six).out.splitlines()
    folders = ", ".join(str(six[row]) for row in (0, 2, 3))
    assert f"temperature fixed, tau 0.1 ({folders}): 3 runs, seeds 0, 1, 2" in lines
    assert "temperature mmts, alpha 0.04 minus temperature fixed, tau 0.1" in lines
    verdicts = [line for line in lines if line.startswith("overall: ")]
    assert len(verdicts) == 1
    assert verdicts[0].startswith("overall: R@1 better, ")


@pytest.mark.parametrize("flags", [("--seed", 1), ("--resamples", 50)])
def test_several_seeds_have_no_use_for_a_bootstrap(six, refused, flags) -> None:
    assert "are for the bootstrap with one run of each setting" in refused("compare", *six, *flags)
