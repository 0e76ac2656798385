"""Protocol ``classes``: what is read, what stands for a class, and what is written."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_models import write_clip, write_sentence_model
from tiny_world import write_tower_config

from pipelines.artifacts import read_provenance, read_vectors, vector_type
from pipelines.compare import compare
from pipelines.errors import InputError
from pipelines.evaluate import evaluate
from pipelines.export.scores import score_tables
from pipelines.runs.encoder import RunEncoder
from pipelines.views.worst import read_worst

KINDS = ["a_dog", "the/sea", "two_cats", "rock"]


def label_of(world, sample_id: str) -> str:
    return KINDS[world.cluster[f"{world.media_of(sample_id)}#0"] % len(KINDS)]


@pytest.fixture
def labelled(world):
    """The world with a column ``label``; both captions of a medium have its class."""

    def add(table: pa.Table) -> pa.Table:
        return table.append_column("label", pa.array([label_of(world, s) for s in table["sample_id"].to_pylist()]))

    world.rewrite("annotations", add)
    return world


@pytest.fixture
def spaces(labelled):
    """Vectors of media and of classes in one space, in files, and themselves."""
    random = np.random.default_rng(4)
    classes = {name: random.standard_normal(6) for name in KINDS}
    media = {
        each: classes[label_of(labelled, f"{each}#0")] + 1.2 * random.standard_normal(6) for each in labelled.media_ids
    }
    files = {"annotations": labelled.annotations}
    for name, key, of in (("media", "media_id", media), ("text", "sample_id", classes)):
        embedding = pa.array([vector.astype(np.float32).tolist() for vector in of.values()], vector_type(6))
        files[name] = labelled.write(labelled.folder / f"space-{name}.parquet", {key: list(of), "embedding": embedding})
    return files, media, classes


def by_hand(media, classes) -> dict[str, list[str]]:
    """The classes of each medium, from the nearest on."""
    cosine = {
        (m, c): v @ w / np.linalg.norm(v) / np.linalg.norm(w) for m, v in media.items() for c, w in classes.items()
    }
    return {m: sorted(classes, key=lambda c: -cosine[m, c]) for m in media}


def of_split(world, split) -> list[str]:
    return list(dict.fromkeys(world.media_of(each) for each in world.samples(split)))


def ranks_of(folder) -> dict[str, dict]:
    return {row["query_id"]: row for row in pq.read_table(folder / "ranks.parquet").to_pylist()}


def test_two_files_by_an_explicit_loop(labelled, spaces) -> None:
    files, media, classes = spaces
    out = labelled.folder / "s"
    metrics = evaluate(out, **files, protocol="classes", column="label", resamples=10).summary
    answers, test = by_hand(media, classes), of_split(labelled, "test")
    label = {each: label_of(labelled, f"{each}#0") for each in labelled.media_ids}
    rows = ranks_of(out)
    assert sorted(rows) == sorted(test)
    for each, row in rows.items():
        rank = 1 + answers[each].index(label[each])
        assert (row["rank"], row["class"], row["predicted"]) == (rank, label[each], answers[each][0])
        assert (row["direction"], row["media_id"], row["tied"]) == ("media_to_text", each, False)
        assert row["top-1"] == 100 * (rank == 1)
    right = [answers[each][0] == label[each] for each in test]
    assert 0 < sum(right) < len(right)  # else this shows little
    of_class = [
        np.mean([r for r, m in zip(right, test, strict=True) if label[m] == c]) for c in set(map(label.get, test))
    ]
    scores = metrics["scores"]["overall"]["media_to_text"]
    assert scores["top-1"]["value"] == pytest.approx(100 * np.mean(right))
    assert scores["mean_per_class"]["value"] == pytest.approx(100 * np.mean(of_class))
    assert scores["top-1"]["low"] < scores["top-1"]["value"] < scores["top-1"]["high"]
    assert set(scores) == {"top-1", "mean_per_class"}  # four classes
    assert metrics["classes"] == {"column": "label", "candidates": 4, "tested": len(of_class)}
    assert metrics == json.loads((out / "metrics.json").read_text())
    assert "templates" not in metrics


def test_a_row_a_class(labelled, spaces) -> None:
    files, media, classes = spaces
    out = labelled.folder / "s"
    evaluate(out, **files, protocol="classes", column="label", resamples=0)
    answers, test = by_hand(media, classes), of_split(labelled, "test")
    label = {each: label_of(labelled, f"{each}#0") for each in labelled.media_ids}
    train = Counter(label[each] for each in of_split(labelled, "train"))  # media, of two captions each
    found = pq.read_table(out / "classes.parquet").to_pylist()
    assert {row["class"] for row in found} == set(KINDS)
    assert [row["top-1"] for row in found] == sorted(row["top-1"] for row in found)
    assert len(set(train.values())) > 2
    for row in found:
        own = [each for each in test if label[each] == row["class"]]
        taken = Counter(answers[each][0] for each in own if answers[each][0] != row["class"])
        assert (row["train_count"], row["test_count"]) == (train[row["class"]], len(own))
        assert row["top-1"] == pytest.approx(100 * np.mean([answers[each][0] == row["class"] for each in own]))
        assert row["confused_count"] == max(taken.values(), default=0)
        assert row["confused_count"] == taken[row["confused_with"]]
        assert row["shots"] == ("medium" if train[row["class"]] >= 20 else "few")
        assert (row["top-5"], row["text"]) == (None, None)
    provenance = read_provenance(out / "classes.parquet")
    assert provenance is not None
    assert (provenance.stage, provenance.rows) == ("eval", 4)


def test_training_counts_from_a_file_or_from_nowhere(labelled, spaces) -> None:
    files, _, _ = spaces

    def test_only(table: pa.Table) -> pa.Table:
        return table.filter(pa.array([split == "test" for split in table["split"].to_pylist()]))

    files["annotations"] = labelled.rewrite("annotations", test_only, "test-annotations.parquet")
    options = {**files, "protocol": "classes", "column": "label", "resamples": 0}
    without = evaluate(labelled.folder / "s", **options).summary
    assert set(without["scores"]) == {"overall"}
    assert without["slope"] is None
    assert without["cluster_sizes"] == "the annotations have no split 'train'; --frequency gives training counts"
    assert pq.read_table(labelled.folder / "s" / "classes.parquet")["shots"].null_count == 4
    sized = evaluate(labelled.folder / "t", **options, frequency=labelled.clusters).summary
    sizes = pq.read_table(labelled.clusters).to_pylist()
    size_of = {row["sample_id"]: row["cluster_size"] for row in sizes}
    for row in pq.read_table(labelled.folder / "t" / "classes.parquet").to_pylist():
        own = [size_of[each] for each in labelled.samples("test") if label_of(labelled, each) == row["class"]]
        assert row["train_count"] == pytest.approx(np.mean(own))
    assert sized["cluster_sizes"] == "sizes from clusters.parquet"
    assert sum(sized["shots"]["media_to_text"].values()) == len(of_split(labelled, "test"))


def test_candidates_are_the_classes_of_all_splits(labelled, spaces) -> None:
    files, media, _ = spaces

    def alone(table: pa.Table) -> pa.Table:
        """A class that only one training medium has."""
        first = labelled.media_of(labelled.samples("train")[0])
        names = [
            "only" if m == first else c
            for m, c in zip(table["media_id"].to_pylist(), table["label"].to_pylist(), strict=True)
        ]
        return table.set_column(table.column_names.index("label"), "label", pa.array(names))

    files["annotations"] = labelled.rewrite("annotations", alone, "alone.parquet")
    options = {**files, "protocol": "classes", "column": "label", "resamples": 0}
    with pytest.raises(InputError, match=r"1 of 5 samples .*only"):
        evaluate(labelled.folder / "s", **options)
    vectors = read_vectors(files["text"])
    matrix = np.vstack([vectors.matrix_nd, np.mean(list(media.values()), axis=0)]).astype(np.float32)
    options["text"] = labelled.write(
        labelled.folder / "five.parquet",
        {"sample_id": [*vectors.ids.to_pylist(), "only"], "embedding": pa.array(matrix.tolist(), vector_type(6))},
    )
    metrics = evaluate(labelled.folder / "s", **options).summary
    assert metrics["classes"] == {"column": "label", "candidates": 5, "tested": 4}
    last = pq.read_table(labelled.folder / "s" / "classes.parquet").to_pylist()[-1]
    assert (last["class"], last["train_count"], last["test_count"], last["top-1"]) == ("only", 1, 0, None)


@pytest.fixture
def run(labelled, mmts) -> Path:
    """A run with heads, on embeddings and features of tiny models that know its words."""
    folder = labelled.folder
    text, clip = write_sentence_model(folder / "model"), write_clip(folder / "clip")
    assert mmts("embed", labelled.annotations, "-o", folder / "text.parquet", "--model", text).code == 0
    images = ("--media", labelled.images())
    assert mmts("embed", labelled.annotations, "-o", folder / "media.parquet", "--model", clip, *images).code == 0
    assert mmts(*labelled.command("run", epochs=1)).code == 0
    return folder / "run"


def test_a_class_is_the_mean_of_its_prompts(labelled, run) -> None:
    lines = ["a {} in the sea", "  ", "the {} runs"]
    (labelled.folder / "t.txt").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    options = {"run": run, "protocol": "classes", "column": "label", "resamples": 0}
    metrics = evaluate(labelled.folder / "s", **options, templates=str(labelled.folder / "t.txt")).summary
    assert metrics["templates"] == [lines[0], lines[2]]
    encoder = RunEncoder(run)
    names = {"a_dog": "a dog", "the/sea": "the/sea", "two_cats": "two cats", "rock": "rock"}
    of_class = {
        kind: np.mean([encoder.texts([line.replace("{}", name)])[0] for line in metrics["templates"]], axis=0)
        for kind, name in names.items()
    }
    test = of_split(labelled, "test")
    media = encoder.media([labelled.folder / "images" / each for each in test])
    answers = by_hand(dict(zip(test, media, strict=True)), of_class)
    rows = ranks_of(labelled.folder / "s")
    assert {each: row["predicted"] for each, row in rows.items()} == {each: answers[each][0] for each in test}
    texts = pq.read_table(labelled.folder / "s" / "classes.parquet").to_pylist()
    assert {row["class"]: row["text"] for row in texts} == names


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_names_of_classes_from_a_file(labelled, run, suffix) -> None:
    names = {"a_dog": "dog", "the/sea": "sea", "two_cats": "cats", "rock": "the_rock", "unused": "x"}
    path = labelled.folder / f"names.{suffix}"
    rows = "class,text\n" + "".join(f"{kind}, {name}\n" for kind, name in names.items())
    path.write_text(json.dumps(names) if suffix == "json" else rows)
    evaluate(labelled.folder / "s", run=run, protocol="classes", column="label", class_names=path, resamples=0)
    found = pq.read_table(labelled.folder / "s" / "classes.parquet").to_pylist()
    assert {row["class"]: row["text"] for row in found} == {kind: names[kind] for kind in KINDS}
    path.write_text("class,text\na_dog,dog\nthe/sea,sea\n" if suffix == "csv" else '{"a_dog": "dog", "the/sea": "sea"}')
    with pytest.raises(InputError, match="2 of the 4 classes in column label have no text, first: rock, two_cats"):
        evaluate(labelled.folder / "t", run=run, protocol="classes", column="label", class_names=path)


def test_classes_of_one_name_are_told(labelled, run) -> None:
    (labelled.folder / "names.json").write_text(json.dumps(dict.fromkeys(KINDS, "dog")))
    options = {"protocol": "classes", "column": "label", "class_names": labelled.folder / "names.json", "resamples": 0}
    with pytest.warns(UserWarning, match="classes a_dog and rock have the same text, so all media tie between them"):
        metrics = evaluate(labelled.folder / "s", run=run, **options).summary
    assert metrics["ties"] == {"rule": "index", "media_to_text": 24}


def test_towers_read_prompts_and_damaged_images_are_left_out(labelled, mmts) -> None:
    tower = write_tower_config(labelled.folder / "tower", "vit")
    text = write_sentence_model(labelled.folder / "model")
    flags = {"media": labelled.images(), "media_model": tower, "text": None, "text_model": text, "epochs": 1}
    assert mmts(*labelled.command("run", **flags)).code == 0
    bad, *others = of_split(labelled, "test")
    whole = labelled.folder / "images" / bad
    command = ["eval", labelled.folder / "run", "--protocol", "classes", "--column", "label", "--templates", "photo"]
    assert mmts(*command, "-o", labelled.folder / "s").code == 0
    before = ranks_of(labelled.folder / "s")
    whole.write_bytes(b"no picture")
    ran = mmts(*command, "-o", labelled.folder / "t", "--max-bad", 1, "--json")
    assert ran.code == 0
    metrics = json.loads(ran.out)
    assert list(metrics["bad_media"]) == [bad]
    after = ranks_of(labelled.folder / "t")
    assert {each: row["rank"] for each, row in after.items()} == {each: before[each]["rank"] for each in others}
    lines = mmts(*command, "-o", labelled.folder / "t", "--max-bad", 1).out.splitlines()
    assert f"1 media can't be decoded and are left out, first: {bad}" in lines  # they have no texts here


@pytest.fixture
def command(labelled, spaces):
    """A command line without a run."""
    files, _, _ = spaces
    flags = [part for name, path in files.items() for part in (f"--{name}", path)]
    return ["eval", *flags, "--protocol", "classes", "--column", "label", "--resamples", 20, "-o"]


def test_tables_for_people(labelled, command, mmts) -> None:
    out = labelled.folder / "s"
    lines = mmts(*command, out).out.splitlines()
    metrics = json.loads((out / "metrics.json").read_text())
    assert lines[:4] == [
        f"{out}: written",
        "protocol classes: 24 media of 4 classes, 4 to choose from (0 tied; ties by index)",
        "classes: by the vectors of --text",
        "many, medium, few: classes of more than 100, 20 to 100 and fewer than 20 training media "
        "(training media of each label)",
    ]
    shown = {line.split()[0]: line.split()[1:3] for line in lines if line.startswith(("overall", "medium ", "few "))}
    for name, (queries, top_1) in shown.items():
        score = metrics["scores"][name]["media_to_text"]["top-1"]["value"]
        count = 24 if name == "overall" else metrics["shots"]["media_to_text"][name]
        assert (queries, top_1) == (str(count), f"{score:.1f}")
    assert list(shown) == ["overall", *(name for name in ("medium", "few") if name in metrics["scores"])]
    assert f"slope: {metrics['slope']['value']:+.1f} points of top-1" in "\n".join(lines)
    assert metrics["slope"]["classes"] == 4
    assert set(metrics["scores"]) > {"head", "tail"}  # for those who read thirds
    assert not any(line.startswith(("head", "middle", "tail")) for line in lines)
    worst = pq.read_table(out / "classes.parquet").to_pylist()[0]
    row = lines[next(i for i, line in enumerate(lines) if line.startswith("worst classes")) + 1].split()
    assert row[:4] == [worst["class"], f"{worst['train_count']:.0f}", str(worst["test_count"]), f"{worst['top-1']:.1f}"]
    assert sum(line.startswith(tuple(KINDS)) for line in lines) == 4  # each class once
    assert lines[-1] == f"all classes: {out / 'classes.parquet'}"
    assert mmts(*command, out).out.splitlines() == [f"{out}: up to date", *lines[1:]]


def test_what_makes_it_score_again(labelled, run) -> None:
    out, names = labelled.folder / "s", labelled.folder / "names.json"
    names.write_text(json.dumps(dict(zip(KINDS, ("dog", "sea", "cats", "rock"), strict=True))))
    (labelled.folder / "t.txt").write_text("a {}\n")
    options = {"run": run, "protocol": "classes", "column": "label", "resamples": 0}

    def again(**more) -> bool:
        return not evaluate(out, **options, **more).up_to_date

    assert again()
    assert not again(templates="plain")
    assert again(templates="photo")
    file = str(labelled.folder / "t.txt")
    assert again(templates=file)
    assert not again(templates=file)
    (labelled.folder / "t.txt").write_text("the {}\n")
    assert again(templates=file)
    assert again(class_names=names)
    names.write_text(json.dumps(dict(zip(KINDS, ("dog", "sea", "cats", "door"), strict=True))))
    assert again(class_names=names)
    (out / "classes.parquet").unlink()
    assert again(class_names=names)
    (out / "classes.parquet").write_bytes(b"PAR1 no more")
    with pytest.warns(UserWarning, match=r"classes\.parquet: damaged or changed since mmts wrote it; made again"):
        assert again(class_names=names)
    assert pq.read_table(out / "classes.parquet").num_rows == 4


def test_a_report_of_the_worst_queries_says_where_mistakes_are(labelled, command, mmts) -> None:
    out = labelled.folder / "s"
    assert mmts(*command, out).code == 0
    with pytest.raises(InputError, match=r"s: classifies; see its classes\.parquet, or score retrieval"):
        read_worst(out, labelled.annotations)


def test_the_table_of_classes_goes_with_its_scores(labelled, command, run, mmts) -> None:
    out = labelled.folder / "s"
    assert mmts(*command, out).code == 0
    assert mmts("eval", run, "-o", out, "--resamples", 0).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["metrics.json", "misses.parquet", "ranks.parquet"]


def test_compared_by_the_same_media(labelled, spaces, mmts) -> None:
    files, media, _ = spaces
    other = {each: vector[::-1] for each, vector in media.items()}
    embedding = pa.array([vector.astype(np.float32).tolist() for vector in other.values()], vector_type(6))
    columns = {"media_id": list(other), "embedding": embedding}
    others = labelled.write(labelled.folder / "other.parquet", columns)
    options = {"protocol": "classes", "column": "label", "resamples": 0}
    scores = [
        evaluate(labelled.folder / name, **{**files, "media": path}, **options).summary["scores"]
        for name, path in (("one", files["media"]), ("two", others))
    ]
    folders = [labelled.folder / "one", labelled.folder / "two"]
    [found] = compare(folders, resamples=20)["comparisons"]
    for segment, of in scores[0].items():
        for metric, score in of["media_to_text"].items():
            expected = scores[1][segment]["media_to_text"][metric]["value"] - score["value"]
            assert found["differences"][segment]["media_to_text"][metric]["value"] == pytest.approx(expected)
    lines = mmts("compare", *folders, "--resamples", 20).out.splitlines()
    assert lines[0] == "protocol classes: 24 media queries"
    assert any(line.startswith("media to text") and line.endswith("mean per class") for line in lines)
    assert any(line.startswith("few") for line in lines)
    assert not any(line.startswith(("head", "middle", "tail")) for line in lines)  # the same counts, cut elsewhere


def test_prompts_are_part_of_a_setting(labelled, run) -> None:
    names = labelled.folder / "names.json"
    names.write_text(json.dumps({each: f"{each} or so" for each in KINDS}))
    options = {"run": run, "protocol": "classes", "column": "label", "resamples": 0}
    folders = []
    for name, prompts in {"s": {}, "t": {"templates": "photo"}, "u": {"class_names": names}}.items():
        evaluate(labelled.folder / name, **options, **prompts)
        folders.append(labelled.folder / name)
    assert [each["name"] for each in compare(folders, resamples=20)["settings"]] == [
        "templates '{}'",
        "templates 'a photo of a {}.'",
        "templates '{}', class names names.json",
    ]
    evaluate(labelled.folder / "again", **options)
    with pytest.raises(InputError, match="again: scores seed 0 of the same setting as"):
        compare([*folders, labelled.folder / "again"], resamples=20)


def test_answers_from_other_classes_are_not_compared(labelled, spaces) -> None:
    """A class that only training has, and that is one more to choose from."""
    files, _, classes = spaces
    options = {"media": files["media"], "protocol": "classes", "column": "label", "resamples": 0}
    evaluate(labelled.folder / "one", **{**files, **options})
    rows = pq.read_table(files["annotations"]).to_pylist()
    [added] = [{**row, "sample_id": "new", "media_id": "new", "split": "train", "label": "new"} for row in rows[:1]]
    table = pa.Table.from_pylist([*rows, added])
    annotations = labelled.write(labelled.folder / "more.parquet", table.to_pydict())
    vectors = pa.array([v.astype(np.float32).tolist() for v in (*classes.values(), np.ones(6))], vector_type(6))
    text = labelled.write(labelled.folder / "more-text.parquet", {"sample_id": [*classes, "new"], "embedding": vectors})
    evaluate(labelled.folder / "two", annotations=annotations, text=text, **options)
    with pytest.raises(
        InputError, match=r"two: gallery of 5 classes, but .*one has of 4 classes; score .* same classes"
    ):
        compare([labelled.folder / "one", labelled.folder / "two"], resamples=20)


def test_a_model_card_names_what_was_classified(labelled, spaces) -> None:
    files, _, _ = spaces
    metrics = evaluate(labelled.folder / "s", **files, protocol="classes", column="label", resamples=0).summary
    said, table = score_tables(None, {**metrics, "split": "test"})
    assert said.startswith("Zero-shot classification of 24 media of the split `test` into 4 classes (label)")
    counts = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in table.splitlines()[2:]}
    assert counts["overall"] == "24"
    for name, count in metrics["shots"]["media_to_text"].items():
        assert not count or counts[name] == str(count)
