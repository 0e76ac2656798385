"""``mmts eval --protocol eccv`` on made embeddings of MSCOCO's own test captions, from ``mmts prepare mscoco`` on."""

import builtins
import json
import warnings
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.annotations import prepare_published
from pipelines.artifacts import ArtifactWriter, Provenance, vector_type
from pipelines.evaluate import evaluate
from pipelines.scores import EmbeddingScores

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would like ujson and tqdm
    eccv_caption = pytest.importorskip("eccv_caption")

pytestmark = pytest.mark.slow

DIMENSION = 24
DEEPEST = 50  # no query has more positives


def write(path, columns):
    table = pa.table(columns)
    with ArtifactWriter(path, table.schema, Provenance("test", path.name, {}, {})) as writer:
        writer.write(table)
    return path


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """Files of the test split; the images stand in another order than in Karpathy's file, so folds are no slices."""
    folder = tmp_path_factory.mktemp("coco")
    metrics = eccv_caption.Metrics()
    rng = np.random.default_rng(0)
    caption_ids = metrics.coco_ids.reshape(5000, 5)[rng.permutation(5000)]
    image_ids = np.array([metrics.coco_gts["t2i"][int(first)][0] for first in caption_ids[:, 0]])
    names = [f"COCO_val2014_{number:012}.jpg" for number in image_ids]
    images = [
        {"filename": name, "split": "test", "sentences": [{"raw": f"c{i}", "sentid": int(i)} for i in ids]}
        for name, ids in zip(names, caption_ids, strict=True)
    ]
    (folder / "dataset_coco.json").write_text(json.dumps({"images": images}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the ten sixth captions are left out here
        prepare_published("mscoco", folder, folder / "annotations.parquet", split="test", allow_partial=True)
    image_nd = rng.standard_normal((5000, DIMENSION)).astype(np.float32)
    caption_md = (np.repeat(image_nd, 5, axis=0) + 1.3 * rng.standard_normal((25000, DIMENSION))).astype(np.float32)
    sample_ids = [f"{name}#{n}" for name in names for n in range(5)]
    vectors = vector_type(DIMENSION)
    files = {
        "annotations": folder / "annotations.parquet",
        "media": write(folder / "m.parquet", {"media_id": names, "embedding": pa.array(list(image_nd), vectors)}),
        "text": write(
            folder / "t.parquet", {"sample_id": sample_ids, "embedding": pa.array(list(caption_md), vectors)}
        ),
        "frequency": write(
            folder / "c.parquet", {"sample_id": sample_ids, "cluster_size": rng.integers(1, 50, 25000).astype(float)}
        ),
    }
    evaluate(folder / "scores", **files, protocol="eccv", resamples=20)
    return SimpleNamespace(
        folder=folder,
        files=files,
        metrics=metrics,
        image_ids=image_ids,
        caption_ids=caption_ids.ravel(),
        image_nd=image_nd,
        caption_md=caption_md,
    )


def best(scores_qi, ids):
    """Ids of each query's best items, best first."""
    near = np.argpartition(-scores_qi, DEEPEST, axis=1)[:, :DEEPEST]
    order = np.argsort(-np.take_along_axis(scores_qi, near, axis=1), axis=1)
    return ids[np.take_along_axis(near, order, axis=1)].tolist()


def test_overall_values_are_those_of_the_package(coco) -> None:
    source, metrics, whole = EmbeddingScores(coco.image_nd, coco.caption_md), coco.metrics, slice(None)
    ranked = {"i2t": {}, "t2i": {}}
    for start in range(0, 5000, 1000):
        part = slice(start, start + 1000)
        ranked["i2t"] |= zip(
            coco.image_ids[part].tolist(), best(source.block(part, whole), coco.caption_ids), strict=True
        )
    for start in range(0, 25000, 5000):
        part = slice(start, start + 5000)
        ranked["t2i"] |= zip(
            coco.caption_ids[part].tolist(), best(source.block(whole, part).T, coco.image_ids), strict=True
        )
    targets = ("coco_5k_recalls", "cxc_recalls", "eccv_map_at_r", "eccv_rprecision", "eccv_r1")
    theirs = metrics.compute_all_metrics(ranked["i2t"], ranked["t2i"], target_metrics=targets)
    place = {int(number): row for row, number in enumerate(coco.caption_ids)}
    folds = {"i2t": {}, "t2i": {}}
    for ids in metrics.coco_ids.reshape(5, 5000):
        captions = np.array([place[int(number)] for number in ids])
        images = np.unique(captions // 5)
        scores_nm = EmbeddingScores(coco.image_nd[images], coco.caption_md[captions]).block(whole, whole)
        folds["i2t"] |= zip(coco.image_ids[images].tolist(), best(scores_nm, ids), strict=True)
        folds["t2i"] |= zip(ids.tolist(), best(scores_nm.T, coco.image_ids[images]), strict=True)
    for k in (1, 5, 10):
        theirs[f"coco_1k_r{k}"] = metrics.coco_1k_recalls(folds, "all", K=k)
    ours = {"eccv_map_at_r": "eccv_mAP@R", "eccv_rprecision": "eccv_R-Precision", "eccv_r1": "eccv_recall@1"}
    for k in (1, 5, 10):
        ours |= {f"coco_5k_r{k}": f"recall@{k}", f"cxc_r{k}": f"cxc_recall@{k}", f"coco_1k_r{k}": f"coco_1k_recall@{k}"}
    scores = json.loads((coco.folder / "scores" / "metrics.json").read_text())["scores"]["overall"]
    assert set(theirs) == set(ours)
    assert set(scores["text_to_media"]) == set(ours.values())
    for name, called in ours.items():
        for direction, key in (("media_to_text", "i2t"), ("text_to_media", "t2i")):
            assert 0.02 < theirs[name][key] < 0.99, (name, key)
            assert scores[direction][called]["value"] == pytest.approx(100 * theirs[name][key], rel=1e-12)


def test_intervals_thirds_and_what_is_left_out(coco) -> None:
    metrics = json.loads((coco.folder / "scores" / "metrics.json").read_text())
    counts = {"text_to_media": (1332, 24972, 25000), "media_to_text": (1261, 5000, 5000)}
    for direction, (eccv, cxc, queries) in counts.items():
        assert metrics["queries"][direction] == queries
        expected = dict.fromkeys(("eccv_mAP@R", "eccv_R-Precision", "eccv_recall@1"), queries - eccv)
        if cxc < queries:
            expected |= {f"cxc_recall@{k}": queries - cxc for k in (1, 5, 10)}
        assert metrics["left_out"][direction] == expected
    for segment in ("overall", "head", "middle", "tail"):
        for score in metrics["scores"][segment]["mean"].values():
            assert score["low"] < score["value"] < score["high"]
    table = pq.read_table(coco.folder / "scores" / "ranks.parquet")
    tail = table.filter(pc.and_(pc.equal(table["third"], "tail"), pc.equal(table["direction"], "text_to_media")))
    for name, score in metrics["scores"]["tail"]["text_to_media"].items():
        assert score["value"] == pytest.approx(pc.mean(tail[name]).as_py(), rel=1e-12)


@pytest.mark.parametrize(("width", "tables"), [(80, 4), (100, 2), (200, 1)])
def test_tables_fit_the_terminal(coco, mmts, monkeypatch, width, tables) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    flags = [part for name, path in coco.files.items() for part in (f"--{name}", path)]
    ran = mmts("eval", *flags, "--protocol", "eccv", "--resamples", 20, "-o", coco.folder / "scores")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    rows = [
        line for line in lines if line.startswith(("text to media  ", "media to text  ", "overall", "head", "tail"))
    ]
    assert len(rows) == 2 * 4 * tables  # without those of the middle third
    assert max(len(line) for line in rows) <= width
    assert lines[3] == "text to media: 23,668 queries count for no eccv_mAP@R, eccv_R-Precision, eccv_recall@1"


def test_two_runs_are_compared(coco, mmts) -> None:
    other = {**coco.files, "media": coco.folder / "m2.parquet"}
    media_ids = pq.read_table(coco.files["media"])["media_id"]
    noisy_nd = coco.image_nd + np.random.default_rng(1).standard_normal((5000, DIMENSION)).astype(np.float32)
    write(other["media"], {"media_id": media_ids, "embedding": pa.array(list(noisy_nd), vector_type(DIMENSION))})
    evaluate(coco.folder / "worse", **other, protocol="eccv", resamples=0)
    ran = mmts("compare", coco.folder / "scores", coco.folder / "worse", "--resamples", 20, "--json")
    assert ran.code == 0, ran
    [comparison] = json.loads(ran.out)["comparisons"]
    scores = [json.loads((coco.folder / name / "metrics.json").read_text())["scores"] for name in ("scores", "worse")]
    assert len(comparison["differences"]["tail"]["media_to_text"]) == 12
    for name, entry in comparison["differences"]["tail"]["media_to_text"].items():
        values = [of["tail"]["media_to_text"][name]["value"] for of in scores]
        assert entry["value"] == pytest.approx(values[1] - values[0], abs=1e-9)
    ran = mmts("compare", coco.folder / "scores", coco.folder / "worse", "--resamples", 20)
    assert max(len(line) for line in ran.out.splitlines() if line.startswith(("text to", "overall", "tail"))) <= 80


def change(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.slice(0, 24990), "10 of MSCOCO's 25,000 test captions are missing, first: caption_id "),
        (lambda t: t.drop_columns("caption_id"), "no column 'caption_id' as annotations of `mmts prepare mscoco` have"),
        (
            lambda t: change(t, "caption_id", pc.sort_indices(t["caption_id"]).cast(pa.int64())),
            "of MSCOCO's 25,000 test captions are missing, first: caption_id ",
        ),
        (
            lambda t: change(t, "caption_id", pa.chunked_array([t["caption_id"].to_pylist()[::-1]])),
            "; give the id of the official annotation, as `mmts prepare mscoco` does",
        ),
        (
            lambda t: change(t, "media_id", pa.array(["image"] * len(t))),
            "media_id image doesn't end in the number of an MSCOCO image",
        ),
        (
            lambda t: change(t, "media_id", pa.array(["7.jpg", "x_7.jpg"] * (len(t) // 2))),
            "several media_id of the test captions end in the number of the same MSCOCO image",
        ),
        (
            lambda t: pa.concat_tables([t, change(t, "sample_id", t["text"]).slice(0, 1)]),
            "of caption_id occur more than",
        ),
    ],
)
def test_captions_that_cannot_be_matched_are_refused(coco, tmp_path, refused, edit, message) -> None:
    table = pq.read_table(coco.files["annotations"]).replace_schema_metadata()
    annotations = write(tmp_path / "a.parquet", edit(table))
    said = refused(*line({**coco.files, "annotations": annotations}, tmp_path / "s"))
    assert said.startswith(f"{annotations}: ")
    assert message in said
    assert not (tmp_path / "s").exists()


def test_options_of_other_protocols_are_refused(coco, tmp_path, refused) -> None:
    for flags, message in (
        (("--folds", 5), "--folds: is for --protocol captions and pairs; leave it out with eccv"),
        (("--gallery", "all"), "--gallery all: is for --protocol captions and pairs; leave it out with eccv"),
        (("--split", "val"), "--split val: protocol eccv scores MSCOCO's test split; leave it out"),
    ):
        assert refused(*line(coco.files, tmp_path / "s"), *flags) == message


def test_without_the_package(coco, tmp_path, refused, monkeypatch) -> None:
    real = builtins.__import__

    def without(name, *rest):
        if name == "eccv_caption":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    said = refused(*line(coco.files, tmp_path / "s"))
    assert said == "--protocol eccv: needs the package eccv-caption; install mmts with its extra, mmts[eccv]"


def line(files, output):
    return (
        "eval",
        *(part for name, path in files.items() for part in (f"--{name}", path)),
        "--protocol",
        "eccv",
        "-o",
        output,
    )
