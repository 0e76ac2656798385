"""``prepare ... --imbalance``: a long-tailed training split."""

import typing
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmts_cli.commands.prepare_imbalance import ProfileOption
from pipelines.annotations import Imbalance, prepare_flickr8k, prepare_table
from pipelines.annotations.checks import Checks
from pipelines.annotations.imbalance import PROFILES, target_sizes
from pipelines.artifacts import read_provenance
from pipelines.errors import InputError


def sizes(annotations, by: str = "noun", split: str = "train") -> dict[object, int]:
    """Media of each class in a split."""
    media = {
        medium: name
        for medium, name, of in zip(*(annotations[c].to_pylist() for c in ("media_id", by, "split")), strict=True)
        if of == split
    }
    return dict(Counter(media.values()))


def samples(**media: int) -> pa.Table:
    """Two captions each of so many training media a class, in mixed order, and one medium of each class in test."""
    names = [(f"{noun}{number}", noun, "train") for noun, count in media.items() for number in range(count)]
    names += [(f"{noun}-test", noun, "test") for noun in media]
    rows = [(f"{m}#{n}", f"caption {n} of {m}", m, noun, split) for m, noun, split in names for n in range(2)]
    rows = [rows[i] for i in np.random.default_rng(5).permutation(len(rows))]
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("sample_id", "text", "media_id", "noun", "split"), map(list, columns), strict=True)))


def cut(annotations: pa.Table, tmp_path, ratio: float, **options) -> tuple[pa.Table, dict, list[str]]:
    checks = Checks(allow_partial=False)
    rows, figures = Imbalance(ratio, **{"by": "noun", **options}).cut(annotations, tmp_path / "in.csv", checks)
    return rows, figures, checks.notes


@pytest.mark.parametrize(
    ("classes", "each", "ratio", "total"),
    [
        *[(10, 5000, 100, 12406), (10, 5000, 50, 13996), (10, 5000, 10, 20431)],
        *[(100, 500, 100, 10847), (100, 500, 50, 12608), (100, 500, 10, 19573)],
    ],
)
def test_exp_has_the_published_counts_of_long_tailed_cifar(classes, each, ratio, total) -> None:
    assert target_sizes(np.full(classes, each), ratio, "exp").sum() == total


def test_zipf_is_one_over_the_rank_where_the_ratio_is_the_number_of_classes() -> None:
    assert target_sizes(np.full(8, 840), 8, "zipf").tolist() == [840, 420, 280, 210, 168, 140, 120, 105]


def test_pareto_is_the_truncated_distribution_s_quantiles() -> None:
    ratio, count, shape = 100, 50, 1 / 7
    low, high = 1 / ratio, 1.0
    rest = np.linspace(0, 1, count)  # the share of classes that are larger
    quantiles = low / (1 - (1 - rest) * (1 - (low / high) ** shape)) ** (1 / shape)
    np.testing.assert_allclose(PROFILES["pareto"](rest, ratio), quantiles, rtol=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_falls_from_the_largest_to_its_ratio(profile) -> None:
    kept = target_sizes(np.full(20, 1000), 50, profile)
    assert (kept[0], kept[-1]) == (1000, 20)
    assert (np.diff(kept) <= 0).all()


def test_profiles_differ_in_how_much_the_middle_keeps() -> None:
    middle = {profile: target_sizes(np.full(21, 1000), 100, profile)[10] for profile in PROFILES}
    assert middle == {"exp": 100, "pareto": 68, "zipf": 26}


def test_no_class_keeps_more_than_it_has_nor_less_than_one() -> None:
    assert target_sizes(np.array([100, 3, 3, 2, 1]), 10, "exp").tolist() == [100, 3, 3, 2, 1]
    assert target_sizes(np.array([5, 5, 5]), 1000, "exp").tolist() == [5, 1, 1]


def test_flags_offer_every_profile() -> None:
    choices = typing.get_args(typing.get_args(ProfileOption)[0])[0]
    assert set(typing.get_args(choices)) == set(PROFILES)


def test_whole_media_go_and_the_largest_class_keeps_all(tmp_path) -> None:
    whole = samples(dog=40, cat=90, emu=60)
    rows, figures, notes = cut(whole, tmp_path, 9)
    assert sizes(rows) == {"cat": 90, "emu": 30, "dog": 10}
    assert set(Counter(rows["media_id"].to_pylist()).values()) == {2}
    assert figures == {
        **{"profile": "exp", "by": "noun", "asked": 9, "ratio": 9.0, "classes": 3, "largest": 90, "smallest": 10},
        **{"gini": pytest.approx(160 / (3 * 130)), "rows_before": 380, "rows_after": 260},
        **{"media_before": 190, "media_after": 130},
    }
    assert notes == []


def test_rows_of_other_splits_and_the_order_of_rows_stay(tmp_path) -> None:
    whole = samples(dog=40, cat=90, emu=60)
    rows, *_ = cut(whole, tmp_path, 9)
    kept = set(rows["sample_id"].to_pylist())
    assert rows.to_pylist() == [row for row in whole.to_pylist() if row["sample_id"] in kept]
    assert [row for row in rows.to_pylist() if row["split"] == "test"] == [
        row for row in whole.to_pylist() if row["split"] == "test"
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_larger_ratio_keeps_a_part_of_what_a_smaller_one_keeps(tmp_path, profile) -> None:
    whole = samples(a=30, b=30, c=30, d=12, e=5)
    kept = [
        set(cut(whole, tmp_path, ratio, profile=profile)[0]["sample_id"].to_pylist()) for ratio in (1.5, 3, 10, 30, 200)
    ]
    assert all(small < large for large, small in pairwise(kept))


def test_the_seed_chooses_media_and_the_order_of_equal_classes_and_rows_order_does_not(tmp_path) -> None:
    whole = samples(a=20, b=20, c=20, d=20)
    chosen = [cut(whole, tmp_path, 10, seed=seed)[0] for seed in range(8)]
    again = cut(whole.take(pa.array(range(whole.num_rows - 1, -1, -1))), tmp_path, 10, seed=0)[0]
    assert set(again["media_id"].to_pylist()) == set(chosen[0]["media_id"].to_pylist())
    assert len({frozenset(rows["media_id"].to_pylist()) for rows in chosen}) == 8
    assert len({max(found := sizes(rows), key=found.get) for rows in chosen}) > 1


def test_a_medium_of_two_classes_counts_for_its_first_caption(tmp_path) -> None:
    nouns = [*["a", "b"] * 8, *["b"] * 2]  # eight media of captions a, b and two of b alone
    media = [*(f"m{i // 2}" for i in range(16)), "n0", "n1"]
    table = pa.table({"sample_id": [str(i) for i in range(18)], "text": ["t"] * 18, "media_id": media, "noun": nouns})
    rows, figures, _ = cut(table, tmp_path, 8)
    assert (figures["largest"], figures["smallest"]) == (8, 1)
    assert rows.num_rows == 17


def test_texts_of_more_than_2_gib_are_cut(tmp_path) -> None:
    media = ["a0", "a1", "a2", "a3", "b1", *["b0"] * 17]
    chunk = pa.array(["x" * 2**27])  # one buffer, which all chunks of the medium that goes have
    texts = pa.chunked_array([["a", "a", "a", "a", "b"], *[chunk] * 17])
    ids, nouns = list(map(str, range(22))), [name[0] for name in media]
    rows, _, _ = cut(pa.table({"sample_id": ids, "text": texts, "media_id": media, "noun": nouns}), tmp_path, 4, seed=0)
    assert rows.column("media_id").to_pylist() == ["a0", "a1", "a2", "a3", "b1"]


def test_without_splits_all_rows_are_cut_and_without_media_each_is_one(tmp_path) -> None:
    table = samples(a=10, b=10).drop_columns(["split", "media_id"])
    rows, figures, _ = cut(table, tmp_path, 11)
    assert sorted(Counter(rows["noun"].to_pylist()).values()) == [2, 22]
    assert rows.column_names == table.column_names
    assert (figures["media_before"], figures["media_after"]) == (44, 24)


@pytest.mark.parametrize(
    ("media", "reached", "why"),
    [
        (
            {"a": 6, "b": 6},
            6,
            "--imbalance 20: reached 6, as near as whole media come: the largest class has 6",
        ),
        (
            {"a": 60, "b": 2, "c": 1},
            60,
            "--imbalance 20: reached 60; 2 of 3 classes have fewer media than the profile asks for",
        ),
        (
            {"a": 35, "b": 35},
            35,
            "--imbalance 20: reached 35, as near as whole media come: the largest class has 35",
        ),
    ],
)
def test_a_ratio_out_of_reach_is_told(tmp_path, media, reached, why) -> None:
    _, figures, notes = cut(samples(**media), tmp_path, 20)
    assert (figures["ratio"], notes) == (reached, [why])


def write_clusters(path, annotations: pa.Table, cluster: list[int]):
    ids = annotations["sample_id"].to_pylist()[::-1]  # in another order: rows join by id
    pq.write_table(
        pa.table(
            {
                "sample_id": ids,
                "cluster": pa.array(cluster[::-1], pa.int32()),
                "cluster_size": pa.array([1] * len(ids), pa.int64()),
            }
        ),
        path,
    )
    return path


def test_clusters_are_classes_and_media_in_none_stay(tmp_path) -> None:
    whole = samples(a=40, b=40, stray=7)
    numbers = {"a": 3, "b": 8, "stray": -1}
    path = write_clusters(tmp_path / "c.parquet", whole, [numbers[noun] for noun in whole["noun"].to_pylist()])
    rows, figures, _ = cut(whole, tmp_path, 10, by=str(path))
    assert sorted(sizes(rows).values()) == [4, 7, 40]
    assert sizes(rows)["stray"] == 7
    assert figures["classes"] == 2
    assert [rows["cluster"].to_pylist().count(number) for number in (3, 8)] in ([82, 10], [10, 82])  # with test
    strays = [
        c for c, noun in zip(rows["cluster"].to_pylist(), rows["noun"].to_pylist(), strict=True) if noun == "stray"
    ]
    assert len(set(strays) - {3, 8}) == len(strays) == 16


def test_a_column_that_is_called_cluster_is_not_replaced(tmp_path) -> None:
    whole = samples(a=4, b=4)
    path = write_clusters(tmp_path / "c.parquet", whole, [0] * whole.num_rows)
    taken = whole.append_column("cluster", whole["noun"])
    with pytest.raises(InputError, match=r"in\.csv: has a column 'cluster' already"):
        cut(taken, tmp_path, 10, by=str(path))


def test_a_file_without_imbalance_keeps_its_fingerprint_and_clusters_are_an_input(tmp_path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("caption,noun\n" + "".join(f"c{i},{'ab'[i % 2]}\n" for i in range(40)))
    whole = prepare_table(source, output, text_column="caption")
    assert "imbalance" not in read_provenance(whole.output).parameters
    table = pq.read_table(output)
    clusters = write_clusters(tmp_path / "c.parquet", table, [i % 2 for i in range(40)])
    options = {"text_column": "caption", "imbalance": Imbalance(5, str(clusters))}
    with pytest.warns(UserWarning, match="no mmts footer"):
        assert prepare_table(source, output, **options).summary["rows"] == 24
    with pytest.warns(UserWarning, match="no mmts footer"):
        assert prepare_table(source, output, **options).up_to_date
    write_clusters(clusters, table, [int(i < 30) for i in range(40)])
    with pytest.warns(UserWarning, match="no mmts footer"):
        assert prepare_table(source, output, **options).summary["imbalance"]["largest"] == 30


def test_flickr8k_is_cut_by_any_column_it_has(tmp_path) -> None:
    captions = tmp_path / "captions.csv"
    rows = [f"{i}.jpg,caption {n} of {i},train,{'ab'[i % 2]}" for i in range(20) for n in range(5)]
    captions.write_text("image,caption,split,kind\n" + "\n".join(rows) + "\n")
    result = prepare_flickr8k(captions, tmp_path / "out.parquet", imbalance=Imbalance(5, "kind"))
    assert result.summary["imbalance"]["media_after"] == 12
    assert result.summary["rows"] == 60


def test_a_published_data_set_is_cut_by_its_class_and_the_line_says_what_was_reached(mmts, downloads, tmp_path) -> None:
    downloads("ek100")
    ran = mmts("prepare", "ek100", "--root", "root", "-o", "o.parquet", "--imbalance", "2", "--by", "noun_class")
    assert ran.code == 0, ran
    assert "train: " in ran.out
    assert "ratio 1, Gini 0.000" in ran.out
    assert "--imbalance 2: reached 1, as near as whole media come: the largest class has 1" in ran.err


@pytest.mark.parametrize("ratio", [1, 0.5, -3, float("nan"), float("inf")])
def test_a_ratio_that_is_none_is_refused(ratio) -> None:
    with pytest.raises(InputError, match="must be above 1"):
        Imbalance(ratio, "noun")


def test_an_unknown_profile_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"--profile zip: no such profile; did you mean 'zipf'\?"):
        Imbalance(10, "noun", profile="zip")
