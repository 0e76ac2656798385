"""The page of scores by ``--protocol classes``: groups of classes and the worst of them, no thirds and no queries."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from tiny_world import TEXT_SIZE

from pipelines.artifacts import vector_type
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.plot.thirds import draw_thirds
from pipelines.report import report
from pipelines.report.sections.classes import classes_section, few_against_many
from pipelines.views.classes import ClassScores, ScoredClass, read_by_frequency, read_class_scores
from pipelines.views.map import read_map
from pipelines.views.thirds import Score

KINDS = ["</script>", "dog", "the sea", "rock", "cat", "kite", "door"]
COUNTS = [300, 150, 101, 100, 20, 19, 2]  # training media: three of many, two of medium, two of few
GROUP = {"</script>": "many", "dog": "many", "the sea": "many", "rock": "medium", "cat": "medium", "kite": "few"}


@pytest.fixture
def classified(world):
    """The folder of a project whose scores are of a classification."""
    kind = {media_id: row % len(KINDS) for row, media_id in enumerate(world.media_ids)}
    random = np.random.default_rng(4)
    of_class = random.standard_normal((len(KINDS), 6))
    of_media = [of_class[kind[each]] + 1.2 * random.standard_normal(6) for each in world.media_ids]

    def labelled(table: pa.Table) -> pa.Table:
        return table.append_column("label", pa.array([KINDS[kind[each]] for each in table["media_id"].to_pylist()]))

    world.rewrite("annotations", labelled)
    vectors = {}
    for name, key, ids, found in (
        ("space-media", "media_id", world.media_ids, of_media),
        ("space-text", "sample_id", KINDS, of_class),
    ):
        embedding = pa.array([vector.astype(np.float32).tolist() for vector in found], vector_type(6))
        vectors[name] = world.write(world.folder / f"{name}.parquet", {key: ids, "embedding": embedding})
    sizes = {"sample_id": world.sample_ids, "cluster": pa.array([0] * len(world.sample_ids), pa.int32())}
    sizes["cluster_size"] = [COUNTS[kind[world.media_of(each)]] for each in world.sample_ids]
    evaluate(
        world.folder / "scores",
        annotations=world.annotations,
        media=vectors["space-media"],
        text=vectors["space-text"],
        protocol="classes",
        column="label",
        frequency=world.write(world.folder / "frequency.parquet", sizes),
        resamples=20,
    )
    return world


def test_the_view_has_what_the_files_say(classified) -> None:
    seen = read_class_scores(classified.folder / "scores")
    metrics = json.loads((classified.folder / "scores" / "metrics.json").read_text())
    assert list(seen.scores) == ["top-1", "top-5", "mean_per_class"]
    for metric, of in seen.scores.items():
        assert list(of) == ["overall", "many", "medium", "few"]
        for group, score in of.items():
            assert score == Score.of(metrics["scores"][group]["media_to_text"][metric])
    assert seen.media == {"overall": 24, **metrics["shots"]["media_to_text"]}
    assert sum(seen.media.values()) == 48
    assert (seen.candidates, seen.counted) == (7, "sizes from frequency.parquet")
    assert seen.slope == Score.of(metrics["slope"])
    rows = pq.read_table(classified.folder / "scores" / "classes.parquet").to_pylist()
    assert [(each.name, each.top_1, each.test) for each in seen.classes] == [
        (row["class"], row["top-1"], row["test_count"]) for row in rows
    ]
    assert {each.name: each.group for each in seen.classes} == GROUP | {"door": "few"}
    assert {each.name: each.train for each in seen.classes} == dict(zip(KINDS, COUNTS, strict=True))


def test_the_page_shows_groups_and_worst_classes(classified) -> None:
    result = report(classified.folder, classified.folder / "report.html")
    assert "classes" in result.summary["sections"]
    assert not {"scores", "worst"} & set(result.summary["sections"])
    assert (
        "Scores by frequency, worst queries: no scores of retrieval were found; `mmts eval` adds them, --scores names "
        "them"
    ) in result.summary["left_out"]
    assert not any("score again" in line for line in result.summary["left_out"])
    text = (classified.folder / "report.html").read_text()
    scores = text.partition('<section id="classes"')[2].partition("</section>")[0]
    for group in ("overall", "many", "medium", "few"):
        assert f'<th scope="row">{group}</th>' in scores
    for third in ("head", "middle", "tail"):
        assert f'<th scope="row">{third}</th>' not in scores
    assert "&lt;/script&gt;" in scores
    assert '<option value="recall">' not in text  # the ranks are those of classes


@pytest.fixture
def searched(classified):
    """The same, with scores of retrieval in folder ``found``."""
    world = classified
    vectors = [world.features[media_id][:TEXT_SIZE].tolist() for media_id in world.media_ids]
    table = {"media_id": world.media_ids, "embedding": pa.array(vectors, vector_type(TEXT_SIZE))}
    media = world.write(world.folder / "short.parquet", table)
    options = {"annotations": world.annotations, "media": media, "text": world.text, "frequency": world.clusters}
    evaluate(world.folder / "found", **options, resamples=0)
    return world


def test_retrieval_and_classification_are_on_one_page(searched) -> None:
    result = report(searched.folder, searched.folder / "report.html")
    assert {"scores", "classes", "worst"} <= set(result.summary["sections"])
    used = result.summary["used"]
    assert (used["scores"], used["classes"]) == (str(searched.folder / "found"), str(searched.folder / "scores"))
    text = (searched.folder / "report.html").read_text()
    shown = {name: text.partition(f'<section id="{name}"')[2].partition("</section>")[0] for name in used}
    assert "Text to media by third" in shown["scores"]
    assert "Classification by training media of the class" in shown["classes"]
    assert "<h3>classes: scores/</h3>" in text


def test_scores_of_each_kind_can_be_given(searched, tmp_path, mmts, refused) -> None:
    """A run outside knows no scores; each folder goes where its kind belongs."""
    folder, output = searched.folder, tmp_path / "r.html"
    scores = [flag for name in ("scores", "found") for flag in ("--scores", folder / name)]
    result = mmts("report", folder, "-o", output, *scores, "--json")
    assert {"scores", "classes"} <= set(json.loads(result.out)["sections"])
    assert refused("report", folder, "-o", output, *scores, "--scores", folder / "found") == (
        f"--scores {folder / 'found'}: scores of retrieval, as {folder / 'found'}; give one of each kind"
    )


def test_a_figure_of_both_kinds_is_refused_by_name(searched, refused, tmp_path) -> None:
    folders = [searched.folder / name for name in ("found", "scores")]
    said = refused("plot", "thirds", *folders, "-o", tmp_path / "t.svg")
    assert said == "scores: of classification, but found: of retrieval; draw a figure of each"
    assert not (tmp_path / "t.svg").exists()


def test_a_missing_table_of_classes_is_noticed(classified) -> None:
    """The page is made again when a file it shows has changed."""
    output = classified.folder / "report.html"
    report(classified.folder, output)
    assert report(classified.folder, output).up_to_date
    (classified.folder / "scores" / "classes.parquet").unlink()
    assert not report(classified.folder, output).up_to_date


def test_a_map_takes_no_ranks_of_classes_for_recall(classified) -> None:
    with pytest.raises(InputError, match="scores: classifies, so nothing was searched for"):
        read_map(classified.text, classified.annotations, scores=classified.folder / "scores")


def scores(many: Score | None, few: Score | None) -> ClassScores:
    of = {"overall": Score(50.0, 45.0, 55.0)} | {
        name: score for name, score in (("many", many), ("few", few)) if score is not None
    }
    worst = [
        ScoredClass("a", "few", 2.5, 3, 0.0, ("b", 2)),
        ScoredClass("b", None, None, 1, 100.0, None),
    ]
    return ClassScores("s", {"top-1": of, "mean_per_class": of}, dict.fromkeys(of, 4), 9, "by hand", None, worst)


@pytest.mark.parametrize(
    ("many", "few", "said"),
    [
        (
            Score(80.0, 70.0, 90.0),
            Score(20.0, 10.0, 30.0),
            "Classes with few training media are recognised less often than those with many. Mean per class: many "
            "80.0 (70.0 to 90.0), few 20.0 (10.0 to 30.0), with 95% intervals.",
        ),
        (
            Score(80.0, 70.0, 90.0),
            Score(75.0, 65.0, 85.0),
            "No clear difference between classes with few training media and those with many: their intervals "
            "overlap. Mean per class: many 80.0 (70.0 to 90.0), few 75.0 (65.0 to 85.0), with 95% intervals.",
        ),
        (
            Score(80.0, None, None),
            Score(20.0, None, None),
            "Mean per class: many 80.0, few 20.0; without intervals, which `mmts eval` adds.",
        ),
        (
            Score(80.0, 70.0, 90.0),
            None,
            "Top-1 of all media: 50.0 (45.0 to 55.0); mean per class: 50.0 (45.0 to 55.0).",
        ),
    ],
)
def test_few_against_many_in_words(many, few, said) -> None:
    assert few_against_many(scores(many, few)) == said


def test_the_worst_classes_are_a_table() -> None:
    section = classes_section(scores(None, None))
    assert section.tables[0].rows == [["a", "few", "2", "3", "0.0", "b (2)"], ["b", "", "", "1", "100.0", ""]]
    assert section.words[1] == "No many, medium and few: by hand."


def test_a_figure_of_many_medium_and_few(classified, mmts, tmp_path) -> None:
    scores = classified.folder / "scores"
    said = mmts("plot", "thirds", scores, "-o", tmp_path / "t.svg").out
    assert (
        "groups: many, medium and few are classes of more than 100, 20 to 100 and fewer than 20 training media" in said
    )
    figure = Figure()
    draw_thirds(figure, [read_by_frequency(scores, name=name) for name in ("one", "other")])
    assert [axes.get_ylabel() for axes in figure.axes] == ["top-1 (%)", "top-5 (%)", "mean per class (%)"]
    for axes in figure.axes:
        assert [label.get_text() for label in axes.get_xticklabels()] == ["overall", "many", "medium", "few"]


def test_a_figure_needs_groups_of_classes(classified, refused, tmp_path) -> None:
    scores = classified.folder / "scores"
    metrics = json.loads((scores / "metrics.json").read_text())
    (scores / "metrics.json").write_text(json.dumps(metrics | {"scores": {"overall": metrics["scores"]["overall"]}}))
    assert refused("plot", "thirds", scores, "-o", tmp_path / "t.svg") == (
        f"{scores}: its classes are neither many, medium nor few (sizes from frequency.parquet); score again with "
        "--frequency"
    )
