"""``mmts compare``: what it shows and writes."""

import json

import pytest

from pipelines.compare import compare


@pytest.fixture
def pair(gallery):
    return gallery.scored("one", 0, 1.5), gallery.scored("two", 1, 0.4)


def test_json_on_stdout_and_in_the_file(pair, tmp_path, mmts) -> None:
    flags = ("--resamples", 50, "--seed", 3)
    ran = mmts("compare", *pair, *flags, "-o", tmp_path / "d.json", "--json")
    assert (ran.code, ran.err) == (0, "")
    expected = compare(pair, resamples=50, seed=3)
    assert json.loads(ran.out) == {"command": "compare", **expected}
    assert json.loads((tmp_path / "d.json").read_text()) == expected
    assert (expected["resamples"], expected["seed"]) == (50, 3)


def test_tables_for_people(pair, mmts, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    ran = mmts("compare", *pair, "--resamples", 50)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[:3] == ["protocol captions: 48 text queries, 24 media queries", *(f"{each}: 1 run" for each in pair)]
    assert f"{pair[1]} minus {pair[0]}" in lines
    [comparison] = compare(pair, resamples=50)["comparisons"]
    rows = {}
    for line in lines:
        if line.startswith(("text to media", "media to text", "mean  ")):
            direction = "_".join(line.split("  ")[0].split())
            assert line.endswith("mean rank  median rank")
        elif line.startswith(("overall", "head", "middle", "tail")):
            segment, *cells = line.split()
            rows[direction, segment] = cells
    assert len(rows) == 12
    for (direction, segment), cells in rows.items():
        entries = comparison["differences"][segment][direction]
        for cell, (name, entry) in zip(cells, entries.items(), strict=True):
            assert cell == f"{entry['value']:+.{1 if 'rank' in name else 2}f}"  # one run a side: no star
    assert "a verdict needs two seeds or more of each; intervals here are over queries alone" in lines


def test_without_resamples_there_are_no_intervals(pair, mmts) -> None:
    [comparison] = compare(pair, resamples=0)["comparisons"]
    assert all(
        (entry["low"], entry["high"]) == (None, None)
        for directions in comparison["differences"].values()
        for metrics in directions.values()
        for entry in metrics.values()
    )
    assert mmts("compare", *pair, "--resamples", 0).code == 0
    assert mmts("compare", *pair, "--quiet").out == ""


def test_another_file_is_not_written_over(pair, tmp_path, mmts, refused) -> None:
    metrics = pair[0] / "metrics.json"
    before = metrics.read_bytes()
    message = refused("compare", *pair, "-o", metrics)
    assert message.startswith(f"{metrics}: exists and is not a comparison; use --force")
    assert metrics.read_bytes() == before
    output = tmp_path / "d.json"
    output.write_text("notes")
    assert "exists and is not a comparison" in refused("compare", *pair, "-o", output)
    for flags in (["--force"], []):
        assert mmts("compare", *pair, "-o", output, *flags).code == 0


def test_wrong_options(pair, tmp_path, refused) -> None:
    assert "'--seed': Input should be greater than or equal to 0" in refused("compare", *pair, "--seed", -1)
    assert "is a directory" in refused("compare", *pair, "-o", tmp_path)


def test_options_without_effect_are_refused(pair, tmp_path, refused) -> None:
    assert "--seed 7: seeds the bootstrap" in refused("compare", *pair, "--seed", 7, "--resamples", 0)
    assert "--force: is for the file that --output names" in refused("compare", *pair, "--force")


def test_no_input_is_written_over(pair, tmp_path, refused) -> None:
    link = tmp_path / "link.json"
    link.hardlink_to(pair[1] / "metrics.json")
    before = link.read_bytes()
    assert "is both input and output" in refused("compare", *pair, "-o", link, "--force")
    assert link.read_bytes() == before
