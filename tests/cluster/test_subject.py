"""``cluster --by``: clusters of media, and of texts and media joined."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import read_provenance
from pipelines.cluster import cluster
from pipelines.cluster.geometry import joined, normalised
from pipelines.cluster.methods.kmeans import kmeans
from pipelines.errors import InputError
from pipelines.shifts import shifts

CAPTIONS = {"m0": 3, "m1": 1, "m2": 1, "m3": 2, "m4": 1, "m5": 4}  # m0 to m2 look alike, m3 and m4, and m5
LIKENESS = {"m0": 0, "m1": 0, "m2": 0, "m3": 1, "m4": 1, "m5": 2}
TEST = {"m2", "m5#1"}  # a medium of testing alone, and a caption of testing of one that is in training as well


@pytest.fixture
def files(tmp_path, write_artifact):
    """Annotations, features (with one medium too many, and in another order) and embeddings of texts."""
    rng = np.random.default_rng(0)
    ids = [f"{medium}#{caption}" for medium, count in CAPTIONS.items() for caption in range(count)]
    media_ids = [each.split("#")[0] for each in ids]
    split = ["test" if {each, each.split("#")[0]} & TEST else "train" for each in ids]
    features = {each: np.eye(5)[LIKENESS.get(each, 4)] + 0.05 * rng.standard_normal(5) for each in ["extra", *CAPTIONS]}
    table = {"sample_id": ids, "text": ids, "media_id": media_ids, "split": split}
    order = rng.permutation(len(ids))
    texts = rng.standard_normal((len(ids), 7))
    write_artifact(tmp_path / "a.parquet", table)
    write_artifact(
        tmp_path / "f.parquet", {"media_id": list(features)[::-1], "embedding": list(features.values())[::-1]}
    )
    write_artifact(tmp_path / "t.parquet", {"sample_id": [ids[row] for row in order], "embedding": list(texts[order])})
    return tmp_path


def by_media(files, **options):
    return cluster(
        files / "f.parquet",
        files / "c.parquet",
        **{"k": 3, "by": "media", "annotations": files / "a.parquet", **options},
    )


def by_joint(files, output="c.parquet", **options):
    options = {"k": 3, "by": "joint", "annotations": files / "a.parquet", "media": files / "f.parquet", **options}
    return cluster(files / "t.parquet", files / output, **options)


def sizes(path) -> dict[str, int]:
    table = pq.read_table(path).to_pydict()
    return dict(zip(table["sample_id"], table["cluster_size"], strict=True))


def test_a_medium_is_fitted_once_and_counts_with_all_its_training_samples(files) -> None:
    summary = by_media(files, seed=1).summary
    found = sizes(files / "c.parquet")
    assert list(found) == pq.read_table(files / "a.parquet").column("sample_id").to_pylist()
    assert {each: found[f"{each}#0"] for each in CAPTIONS} == {"m0": 4, "m1": 4, "m2": 4, "m3": 3, "m4": 3, "m5": 3}
    assert found["m5#1"] == 3
    named = ("rows", "fitted_rows", "media", "fitted_media", "shared_media", "repeated_vectors")
    assert [summary[name] for name in named] == [12, 10, 6, 5, 3, 0]


def test_it_is_the_clustering_of_the_media_by_themselves(files) -> None:
    by_media(files, k=2, seed=5)
    table = pq.read_table(files / "f.parquet").to_pydict()
    vectors = dict(zip(table["media_id"], table["embedding"], strict=True))
    matrix_nd = np.array([vectors[each] for each in CAPTIONS], dtype=np.float32)
    alone = kmeans(matrix_nd, np.array([1, 1, 0, 1, 1, 1]), k=2, seed=5)
    found = pq.read_table(files / "c.parquet").to_pydict()
    assert found["cluster"] == np.repeat(alone.cluster_n, list(CAPTIONS.values())).tolist()
    assert found["similarity"] == np.repeat(alone.similarity_n, list(CAPTIONS.values())).tolist()


def test_media_by_density(tmp_path, write_artifact) -> None:
    """Two dense groups of 15 and 10 media with two captions each: sizes are of captions."""
    media_ids = [f"m{row}" for row in range(25)]
    vectors = np.repeat(np.eye(2, 4), (15, 10), axis=0) + 0.02 * np.random.default_rng(0).standard_normal((25, 4))
    write_artifact(tmp_path / "f.parquet", {"media_id": media_ids, "embedding": list(vectors)})
    table = {"sample_id": [str(row) for row in range(50)], "text": ["a"] * 50, "media_id": media_ids * 2}
    write_artifact(tmp_path / "a.parquet", table)
    by_media(tmp_path, k=None, method="hdbscan", umap_dims=0, min_cluster_size=8, noise="nearest")
    assert list(sizes(tmp_path / "c.parquet").values()) == ([30] * 15 + [20] * 10) * 2


def test_shifts_follow(files) -> None:
    by_media(files, seed=1)
    shifts(files / "c.parquet", files / "s.parquet", minimum=0.1, maximum=0.2)
    found = pq.read_table(files / "s.parquet").to_pydict()
    assert found["shift"] == pytest.approx([0.2] * 5 + [0.1] * 7)


@pytest.mark.parametrize("weight", [0, 0.3, 1])
def test_the_cosine_of_joined_vectors_is_the_weighted_mean_of_both(weight) -> None:
    rng = np.random.default_rng(0)
    text_md, media_md = (rng.standard_normal(shape).astype(np.float32) for shape in ((6, 4), (3, 9)))
    text_rows, media_rows = np.array([5, 0, 1, 3]), np.array([2, 2, 0, 1])
    joint_nd = joined(text_md, text_rows, media_md, media_rows, weight)
    text_nd, media_nd = normalised(text_md)[text_rows], normalised(media_md)[media_rows]
    expected_nn = (1 - weight) * text_nd @ text_nd.T + weight * media_nd @ media_nd.T
    assert joint_nd @ joint_nd.T == pytest.approx(expected_nn, abs=1e-6)


def test_joint_clusters_are_those_of_the_joined_vectors(files) -> None:
    by_joint(files, media_weight=0.3, seed=4)
    table = pq.read_table(files / "a.parquet").to_pydict()
    vectors = {}
    for name, key in (("t", "sample_id"), ("f", "media_id")):
        read = pq.read_table(files / f"{name}.parquet").to_pydict()
        vectors |= dict(zip(read[key], np.array(read["embedding"], dtype=np.float32), strict=True))
    text_nd = normalised(np.stack([vectors[each] for each in table["sample_id"]]))
    media_nd = normalised(np.stack([vectors[each] for each in table["media_id"]]))
    expected = kmeans(
        np.concatenate([np.sqrt(0.7) * text_nd, np.sqrt(0.3) * media_nd], axis=1),
        np.array([split == "train" for split in table["split"]]),
        k=3,
        seed=4,
    )
    assert pq.read_table(files / "c.parquet").column("cluster").to_pylist() == expected.cluster_n.tolist()


def test_half_is_the_default_weight(files) -> None:
    by_joint(files)
    assert by_joint(files, media_weight=0.5).up_to_date
    assert not by_joint(files, media_weight=0.6).up_to_date


def test_the_footer_names_the_inputs(files, write_artifact) -> None:
    by_media(files)
    media = read_provenance(files / "c.parquet")
    by_joint(files, "j.parquet")
    joint = read_provenance(files / "j.parquet")
    assert {role: each["name"] for role, each in media.inputs.items()} == {
        "features": "f.parquet",
        "annotations": "a.parquet",
    }
    assert (media.parameters["by"], joint.parameters["by"], joint.parameters["media_weight"]) == ("media", "joint", 0.5)
    assert set(joint.inputs) == {"embeddings", "features", "annotations"}
    assert by_media(files).up_to_date
    table = pq.read_table(files / "a.parquet").replace_schema_metadata()
    write_artifact(files / "a.parquet", table.set_column(3, "split", [["train"] * 12]))
    assert not by_media(files).up_to_date


def test_without_media_ids_each_sample_is_its_own_medium(files, write_artifact) -> None:
    write_artifact(files / "a.parquet", {"sample_id": ["m0", "m3", "m4"], "text": ["a", "b", "c"]})
    by_media(files, k=2)
    assert sizes(files / "c.parquet") == {"m0": 1, "m3": 2, "m4": 2}


def test_features_of_another_tool_are_used_without_a_warning(files, recwarn) -> None:
    pq.write_table(pq.read_table(files / "f.parquet").replace_schema_metadata(), files / "f.parquet")
    by_media(files)
    assert not recwarn.list


def test_media_without_features_are_counted(files, write_artifact) -> None:
    write_artifact(files / "f.parquet", pq.read_table(files / "f.parquet").replace_schema_metadata()[:3])
    with pytest.raises(InputError, match=r"f.parquet: 3 of 6 media are missing there, first: m., m.; it holds m5, m4"):
        by_media(files)


def test_samples_without_a_medium_or_a_text_vector_are_counted(files, write_artifact) -> None:
    write_artifact(files / "t.parquet", pq.read_table(files / "t.parquet").replace_schema_metadata()[2:])
    with pytest.raises(InputError, match=r"t.parquet: 2 of 12 samples are missing there, first: m.#., m.#.; it holds"):
        by_joint(files)
    table = {"sample_id": ["x", "y", "z"], "text": ["a", "b", "c"], "media_id": ["m0", None, None]}
    write_artifact(files / "a.parquet", table)
    with pytest.raises(InputError, match=r"a.parquet: 2 rows have no media_id, first: y, z; fill it in"):
        by_media(files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "images"}, "--by images: expected one of text, media, joint"),
        ({"by": "media"}, "--by media needs --annotations"),
        ({"by": "joint", "annotations": "a.parquet"}, "--by joint needs --media"),
        ({"annotations": "nowhere.parquet"}, "nowhere.parquet: no such file"),
        (
            {"annotations": "a.parquet", "method": "class", "k": None, "columns": ["split"]},
            "--annotations: --method class reads them already; leave it out",
        ),
        (
            {"annotations": "a.parquet", "method": "knn", "k": None},
            "--annotations: --method knn has no clusters to label; leave it out",
        ),
        ({"media": "f.parquet"}, "--media: needs --by joint"),
        ({"by": "media", "annotations": "a.parquet", "media_weight": 0.5}, "--media-weight: needs --by joint"),
        (
            {"by": "joint", "annotations": "a.parquet", "media": "f.parquet", "media_weight": 1.5},
            "--media-weight 1.5: expected 0 to 1",
        ),
        (
            {"by": "joint", "annotations": "a.parquet", "media": "f.parquet", "media_weight": float("nan")},
            "--media-weight nan: expected 0 to 1",
        ),
        (
            {"by": "media", "annotations": "a.parquet", "method": "class", "k": None, "columns": ["split"]},
            "--by media: has no effect with --method class",
        ),
        ({"by": "media", "annotations": "a.parquet"}, "t.parquet: has sample_id, .* give features, or leave out --by"),
        ({"by": "joint", "annotations": "a.parquet", "media": "t.parquet"}, "has sample_id, .*; give features"),
    ],
)
def test_what_does_not_fit_together_is_refused(files, monkeypatch, options, message) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(InputError, match=message):
        cluster("t.parquet", "c.parquet", **{"k": 3, **options})
    assert not (files / "c.parquet").exists()


def test_features_of_media_need_the_option(files) -> None:
    with pytest.raises(InputError, match=r"f.parquet: has media_id, .*, not sample_id; add --by media --annotations"):
        cluster(files / "f.parquet", files / "c.parquet", k=3)
    with pytest.raises(InputError, match=r"f.parquet: has media_id, .*, not sample_id; give embeddings"):
        cluster(
            files / "f.parquet",
            files / "c.parquet",
            k=3,
            by="joint",
            annotations=files / "a.parquet",
            media=files / "f.parquet",
        )


def test_the_command_says_what_was_counted(files, mmts, monkeypatch, write_artifact) -> None:
    monkeypatch.chdir(files)
    line = ("cluster", "f.parquet", "-o", "c.parquet", "--by", "media", "--annotations", "a.parquet", "--k", 2)
    assert mmts(*line).out.splitlines() == [
        "c.parquet: written",
        *mmts(*line).out.splitlines()[1:3],
        "fitted on 5 media (shared by several rows: 3; repeated vectors: 0)",
        "labels in c.labels.parquet; see them with mmts inspect c.parquet",
    ]
    write_artifact(files / "e.parquet", {"sample_id": list("abcd"), "embedding": [[1.0], [2.0], [1.0], [1.0]]})
    text = mmts("cluster", "e.parquet", "-o", "e-c.parquet", "--k", 1).out
    assert text.splitlines()[3] == "repeated vectors among the fitted rows: 2; each row counts"
    joint = ("--by", "joint", "--media", "f.parquet", "--media-weight", 0.2)
    ran = mmts("cluster", "t.parquet", "-o", "j.parquet", "--annotations", "a.parquet", "--k", 2, *joint, "--json")
    assert ran.code == 0
    assert read_provenance(files / "j.parquet").parameters["media_weight"] == 0.2


def test_neighborhoods_have_no_labels(files) -> None:
    media = {"by": "media", "annotations": files / "a.parquet"}
    assert "labels" not in cluster(files / "f.parquet", files / "c.parquet", method="knn", neighbors=2, **media).summary
    assert not (files / "c.labels.parquet").exists()
