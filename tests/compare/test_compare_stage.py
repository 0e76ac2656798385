"""``mmts compare``: differences of scored runs, aligned by query, and runs that can't be compared."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest

from pipelines.compare import compare
from pipelines.scores import bootstrap

from .conftest import CAPTIONS, MEDIA, SAMPLES

RESAMPLES = 50
NUMBER = r"[+-][\d.]+"


def without_verdicts(differences):
    """Differences of one run a side, which get no verdict."""
    plain = {}
    for segment, directions in differences.items():
        for direction, metrics in directions.items():
            for name, entry in metrics.items():
                assert entry["verdict"] == "needs more seeds"
                rest = {key: value for key, value in entry.items() if key != "verdict"}
                plain.setdefault(segment, {}).setdefault(direction, {})[name] = rest
    return plain


def test_differences_are_those_of_the_arrays(gallery) -> None:
    one, two = gallery.scored("one", 0, 1.5), gallery.scored("two", 1, 0.4)
    result = compare([one, two], resamples=RESAMPLES, seed=3)
    first, second = gallery.evaluation(0, 1.5), gallery.evaluation(1, 0.4)
    expected = bootstrap.compare(first.queries, second.queries, resamples=RESAMPLES, seed=3)
    [comparison] = result["comparisons"]
    assert (comparison["setting"], comparison["baseline"]) == (str(two), str(one))
    assert without_verdicts(comparison["differences"]) == expected
    assert result["queries"] == {"text_to_media": SAMPLES, "media_to_text": MEDIA}
    assert set(expected) == {"overall", "head", "middle", "tail"}
    assert expected["overall"]["mean"]["recall@1"]["low"] > 0


def test_folds_are_kept(gallery) -> None:
    one, two = gallery.scored("one", 0, 1.5, folds=4), gallery.scored("two", 1, folds=4)
    [comparison] = compare([one, two], resamples=0)["comparisons"]
    scores = [json.loads((folder / "metrics.json").read_text())["scores"] for folder in (one, two)]
    for segment, of in comparison["differences"].items():
        for direction, metrics in of.items():
            for name, difference in metrics.items():
                before, after = (score[segment][direction][name]["value"] for score in scores)
                assert difference["value"] == pytest.approx(after - before, abs=1e-12)


def test_rows_join_on_ids(gallery) -> None:
    one, two = gallery.scored("one", 0, 1.5), gallery.scored("two", 1)
    expected = compare([one, two], resamples=RESAMPLES)["comparisons"]
    order = np.random.default_rng(5).permutation(SAMPLES + MEDIA)
    gallery.rewrite(two, lambda table: table.take(order))
    assert compare([one, two], resamples=RESAMPLES)["comparisons"] == expected


def test_every_run_is_compared_with_the_first(gallery) -> None:
    folders = [gallery.scored(name, seed) for seed, name in enumerate(("one", "two", "three"))]
    together = compare(folders, resamples=RESAMPLES)["comparisons"]
    alone = [compare([folders[0], folder], resamples=RESAMPLES)["comparisons"][0] for folder in folders[1:]]
    assert together == alone


def test_thirds_belong_to_the_queries(gallery) -> None:
    one, two = gallery.scored("one", 0, 1.5), gallery.scored("two", 1)
    expected = compare([one, two], resamples=RESAMPLES)["comparisons"][0]["differences"]
    without = gallery.scored("without", 1, sizes=None)
    assert compare([one, without], resamples=RESAMPLES)["comparisons"][0]["differences"] == expected
    neither = compare([gallery.scored("base", 0, 1.5, sizes=None), without], resamples=RESAMPLES)
    assert neither["comparisons"][0]["differences"] == {"overall": expected["overall"]}


def test_a_run_folder_with_one_folder_of_scores_will_do(gallery) -> None:
    gallery.scored("run1/scores", 0), gallery.scored("run2/scores", 1)
    result = compare([gallery.folder / "run1", gallery.folder / "run2"], resamples=0)
    assert list(result["folders"]) == [str(gallery.folder / f"run{n}" / "scores") for n in (1, 2)]


def test_left_out_queries_stay_out(gallery) -> None:
    """Per-query measures in place of ranks, as ``ek100`` writes them."""
    one, two = gallery.scored("one"), gallery.scored("two")
    value_q = np.arange(SAMPLES + MEDIA, dtype=float)
    for folder, shift in ((one, 0.0), (two, 2.5)):
        value = pa.array([None if row % 4 == 0 else shift + row for row in value_q], pa.float64())

        def change(table, value=value):
            table = table.set_column(2, "rank", pa.nulls(len(value), pa.int64()))
            return table.append_column("nDCG", value)

        gallery.rewrite(folder, change)
    [comparison] = compare([one, two], resamples=RESAMPLES)["comparisons"]
    for of in comparison["differences"].values():
        assert [set(metrics) for metrics in of.values()] == [{"nDCG"}] * 3
        for entry in (metrics["nDCG"] for metrics in of.values()):
            assert [entry[name] for name in ("value", "low", "high")] == pytest.approx([2.5] * 3)


def test_other_queries_are_refused_with_how_many(gallery, refused) -> None:
    one = gallery.scored("one")
    gallery.annotate("fewer", np.arange(0, SAMPLES - 3))
    two = gallery.scored("two", annotations="fewer")
    message = refused("compare", one, two)
    first = gallery.sample_ids[SAMPLES - 3]
    assert message == (
        f"{two}: 3 text to media queries are in only one of this folder and {one}, first: {first}; "
        "score both on the same annotations and split"
    )
    assert "3 text to media queries" in refused("compare", two, one)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ties": "optimistic"}, "ties optimistic, but {one} has index; score both with the same --ties"),
        (
            {"gallery": "all"},
            "gallery of 24 media, but {one} has of the split's media; score both with the same --gallery",
        ),
        ({"folds": 2}, "queries are in other folds than in {one}, first: "),
        ({"sizes": "other"}, "queries are in another third than in {one}; score both with the same --frequency"),
        ({"annotations": "moved"}, "2 text to media queries belong to other media than in {one}, first: "),
    ],
)
def test_other_rules_are_refused(gallery, refused, options, message) -> None:
    gallery.sizes("other", gallery.size[::-1])
    swapped = [sample[:3] for sample in gallery.sample_ids]
    swapped[0], swapped[2] = swapped[2], swapped[0]
    gallery.annotate("moved", np.arange(SAMPLES), media_id=swapped)
    one = gallery.scored("one")
    assert message.format(one=one) in refused("compare", one, gallery.scored("two", **options))


def test_other_protocols_are_refused(gallery, refused) -> None:
    gallery.annotate("single", np.arange(0, SAMPLES, CAPTIONS))
    one = gallery.scored("one", annotations="single")
    two = gallery.scored("two", annotations="single", protocol="pairs")
    assert refused("compare", one, two) == (
        f"{two}: protocol pairs, but {one} has captions; score both with the same --protocol"
    )


def test_folders_that_hold_no_scores(gallery, refused) -> None:
    one = gallery.scored("one")
    assert refused("compare", one) == ("one folder of scores given; a comparison takes two or more, the baseline first")
    assert refused("compare", one, gallery.folder / "no").endswith(
        "no: no such folder; give one that `mmts eval` wrote"
    )
    (gallery.folder / "empty").mkdir()
    assert "empty: has no ranks.parquet" in refused("compare", one, gallery.folder / "empty")
    gallery.scored("two"), gallery.scored("run/a"), gallery.scored("run/b")
    message = refused("compare", one, gallery.folder / "run")
    assert message.endswith("run: holds several folders of scores (a, b); name one")
    (gallery.folder / "two" / "metrics.json").unlink()
    assert "metrics.json: no such file" in refused("compare", one, gallery.folder / "two")


def test_files_that_were_changed(gallery, mmts, refused) -> None:
    one, two = gallery.scored("one"), gallery.scored("two")
    gallery.rewrite(two, lambda table: pa.concat_tables([table, table.slice(0, 1)]))
    assert "1 values of query_id (text_to_media) occur more than once" in refused("compare", one, two)
    gallery.scored("two", force=True)
    gallery.rewrite(two, lambda table: table.drop_columns(["fold"]))
    assert "no column 'fold' as ranks have" in refused("compare", one, two)
    gallery.scored("two", force=True)
    (two / "metrics.json").write_text("[]")
    assert "metrics.json: not the metrics of `mmts eval`" in refused("compare", one, two)


def test_a_notebook_shows_what_the_command_prints(gallery, mmts, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    one, two = gallery.scored("one", 0, 1.5), gallery.scored("<two>", 1)
    comparison = compare([one, two])
    assert repr(comparison) == f"Comparison({one}; {two})"
    html = comparison._repr_html_()
    assert "<two>" not in html
    cells = re.findall(r"<t[dh] [^>]*>(.*?)</t[dh]>", html)
    printed = mmts("compare", one, two).out
    numbers = sorted(re.findall(NUMBER, " ".join(cells)))
    assert numbers
    assert numbers == sorted(re.findall(NUMBER, printed[printed.index("text to media") :]))
