"""``shifts``: cluster sizes of one or more clusterings to a shift for each sample."""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import SHIFTS, read_provenance, read_table
from pipelines.errors import InputError
from pipelines.shifts import shifts

SIZES = {"a": 1, "b": 3, "c": 3, "d": 9, "e": 0}


@pytest.fixture
def clusters(tmp_path, write_artifact):
    def write(name="c.parquet", sizes=SIZES, **columns):
        table = {
            "sample_id": list(sizes),
            "cluster": pa.array(range(len(sizes)), pa.int32()),
            "cluster_size": list(sizes.values()),
            **columns,
        }
        return write_artifact(tmp_path / name, {key: value for key, value in table.items() if value is not None})

    return write


def columns(path) -> dict[str, list]:
    return read_table(path, SHIFTS).to_pydict()


@pytest.mark.parametrize(
    ("rule", "middle"),
    [("linear", (3 - 1) / (9 - 1)), ("log", math.log(3) / math.log(9)), ("rank", 1 / 2)],
)
def test_rules_place_sizes_between_the_ends(clusters, tmp_path, rule, middle) -> None:
    shifts(clusters(), tmp_path / "s.parquet", minimum=0.1, maximum=0.5, rule=rule)
    found = columns(tmp_path / "s.parquet")
    between = 0.1 + 0.4 * middle
    assert found["sample_id"] == list("abcde")
    assert found["shift"] == pytest.approx([0.1, between, between, 0.5, 0.1], abs=1e-7)
    assert found["cluster_size"] == [1, 3, 3, 9, 0]


def test_the_file_is_of_its_kind(clusters, tmp_path) -> None:
    shifts(clusters(), tmp_path / "s.parquet", minimum=0.5, maximum=1.5)
    assert pq.read_schema(tmp_path / "s.parquet").remove_metadata() == pa.schema(list(SHIFTS.columns.items()))


def test_several_clusterings_are_averaged_by_id(clusters, tmp_path) -> None:
    first = clusters()
    second = clusters("d.parquet", {"d": 2, "e": 4, "c": 4, "b": 6, "a": 6})
    result = shifts([first, second], tmp_path / "s.parquet", minimum=0.5, maximum=1.5)
    found = columns(tmp_path / "s.parquet")
    assert found["sample_id"] == list("abcde")
    of_first, of_second = [0, 0.25, 0.25, 1, 0], [1, 1, 0.5, 0, 0.5]
    mean = [0.5 + (a + b) / 2 for a, b in zip(of_first, of_second, strict=True)]
    assert found["shift"] == pytest.approx(mean, abs=1e-7)
    assert found["cluster_size"] == [4, 4, 4, 6, 2]
    assert result.summary["clusterings"] == 2


def test_the_summary_describes_the_shifts(clusters, tmp_path) -> None:
    summary = shifts(clusters(), tmp_path / "s.parquet", minimum=0.5, maximum=1.5).summary
    assert (summary["rows"], summary["shift_min"], summary["shift_max"]) == (5, 0.5, 1.5)
    assert summary["shift_mean"] == pytest.approx(0.8)
    assert summary["histogram"]["counts"] == [2, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert summary["histogram"]["edges"] == pytest.approx([0.5 + edge / 10 for edge in range(11)])


def test_equal_sizes_get_the_middle_and_a_warning(clusters, tmp_path) -> None:
    with pytest.warns(UserWarning, match="all clusters have 4 samples, so every sample gets the middle"):
        shifts(clusters(sizes={"a": 4, "b": 4}), tmp_path / "s.parquet", minimum=0.1, maximum=0.3)
    assert columns(tmp_path / "s.parquet")["shift"] == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize("options", [{"minimum": 0.1, "maximum": 0.1}, {"tail": 0.0}, {"tail": 1e-12, "rule": "log"}])
def test_a_range_of_no_width_is_a_constant(clusters, tmp_path, options) -> None:
    summary = shifts(clusters(), tmp_path / "s.parquet", **options).summary
    assert columns(tmp_path / "s.parquet")["shift"] == pytest.approx([0.1] * 5)
    assert summary["histogram"] == {"edges": pytest.approx([0.1, 0.1]), "counts": [5]}


@pytest.mark.parametrize("rule", ["linear", "log", "rank"])
def test_half_a_turn_of_the_dial_is_the_default_of_the_paper(clusters, tmp_path, rule) -> None:
    shifts(clusters(), tmp_path / "s.parquet", minimum=0.05, maximum=0.2, rule=rule)
    shifts(clusters(), tmp_path / "t.parquet", tail=0.5, rule=rule)
    assert columns(tmp_path / "t.parquet") == columns(tmp_path / "s.parquet")
    assert read_provenance(tmp_path / "s.parquet").parameters == {"minimum": 0.05, "maximum": 0.2, "rule": rule}
    assert read_provenance(tmp_path / "t.parquet").parameters == {"tail": 0.5, "level": 0.1, "rule": rule}


def test_a_dial_turned_back_gives_frequent_samples_the_lower_shift(clusters, tmp_path) -> None:
    result = shifts(clusters(), tmp_path / "s.parquet", tail=-0.25, level=0.2)
    low, high = 0.2 / math.sqrt(2), 0.2 * math.sqrt(2)
    between = high + (low - high) / 4
    assert columns(tmp_path / "s.parquet")["shift"] == pytest.approx([high, between, between, low, high], abs=1e-7)
    assert (result.summary["shift_min"], result.summary["shift_max"]) == pytest.approx((low, high))
    assert result.summary["histogram"]["counts"] == [1, 0, 0, 0, 0, 0, 0, 2, 0, 2]


def test_the_mean_of_clusterings_stays_in_the_range(clusters, tmp_path) -> None:
    assert (0.2 + 0.2 + 0.2) / 3 > 0.2  # why it might not
    paths = [clusters(f"{n}.parquet") for n in range(3)]
    summary = shifts(paths, tmp_path / "s.parquet", minimum=0.1, maximum=0.2).summary
    assert summary["shift_max"] == 0.2
    assert sum(summary["histogram"]["counts"]) == 5


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"a": 1, "b": 3, "c": 2}, r"d\.parquet: 2 of 5 samples of .*c\.parquet are missing there, first: d, e"),
        ({**SIZES, "f": 1}, r"c\.parquet: 1 of 6 samples of .*d\.parquet are missing there, first: f"),
        ({"a": 1, "b": 3, "c": 2, "x": 2, "y": 1}, r"d\.parquet: 2 of 5 samples .* missing there, first: d, e"),
    ],
)
def test_clusterings_of_other_samples_are_refused(clusters, tmp_path, sizes, message) -> None:
    with pytest.raises(InputError, match=message):
        shifts([clusters(), clusters("d.parquet", sizes)], tmp_path / "s.parquet", minimum=0.5, maximum=1.5)
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum": 0.5}, "the smallest shift 0.5 is above the largest 0.3; swap them, or give a --tail below 0"),
        ({"minimum": 1e-50}, "shifts of 1e-50 .. 0.3 are more or less than a float32 holds; give numbers like 0.1"),
        ({"maximum": 1e40}, r"shifts of 0.1 .. 1e\+40 are more or less than a float32 holds"),
        ({"maximum": math.inf}, "--min 0.1 --max inf: expected finite numbers"),
        ({"minimum": math.nan}, "--min nan --max 0.3: expected finite numbers"),
        ({"minimum": 0}, "--min 0: temperatures and margins must stay positive; give a number above 0"),
        ({"minimum": -0.01}, "--min -0.01: temperatures and margins must stay positive"),
        ({"minimum": 0.3, "rule": "log"}, "--rule log: has no effect where --min and --max are equal; leave it out"),
        ({"rule": "cubic"}, "shift rule 'cubic' is unknown"),
    ],
)
def test_options_out_of_range_are_refused(clusters, tmp_path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        shifts(clusters(), tmp_path / "s.parquet", **{"minimum": 0.1, "maximum": 0.3, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the range of the shifts is missing; give --tail, or both --min and --max"),
        ({"maximum": 0.3}, "give --tail, or both --min and --max"),
        ({"minimum": 0.1, "level": 0.1}, "--level 0.1: has no effect without --tail; leave it out"),
        ({"tail": 0.5, "minimum": 0.1}, "--tail sets the range by itself; give either --tail, or --min and --max"),
        ({"tail": 0.0, "maximum": 0.3}, "--tail sets the range by itself"),
        ({"tail": 1.5}, "tail is 1.5; give a number from -1 to 1"),
        ({"tail": 0.5, "level": 0.0}, "level is 0; give a positive number"),
        ({"tail": 1.0, "level": 1e38}, r"shifts of 2.5e\+37 .. 4e\+38 are more"),
        ({"tail": 0.0, "rule": "rank"}, "--rule rank: has no effect where --tail is 0; leave it out"),
    ],
)
def test_the_range_is_given_in_one_way(clusters, tmp_path, options, message) -> None:
    with pytest.raises(InputError, match=message):
        shifts(clusters(), tmp_path / "s.parquet", **options)
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"a": -1, "b": 2}, "the cluster size in row 0 is -1"), ({"a": 0, "b": 0}, "no cluster has a training sample")],
)
def test_sizes_that_cant_be_are_refused(clusters, tmp_path, sizes, message) -> None:
    with pytest.raises(InputError, match=message):
        shifts(clusters(sizes=sizes), tmp_path / "s.parquet", minimum=0.5, maximum=1.5)


def test_no_clusters_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="no clusters files given; make one with `mmts cluster`"):
        shifts([], tmp_path / "s.parquet", minimum=0.5, maximum=1.5)


def test_any_change_is_work(clusters, tmp_path) -> None:
    first, second = clusters(), clusters("d.parquet", {key: size + 1 for key, size in SIZES.items()})
    options = {"minimum": 0.5, "maximum": 1.0}
    shifts([first, second], tmp_path / "s.parquet", **options)
    assert shifts([first, second], tmp_path / "s.parquet", **options).up_to_date
    for change in ({"minimum": 0.1}, {"maximum": 0.9}, {"rule": "log"}):
        assert not shifts([first, second], tmp_path / "s.parquet", **{**options, **change}).up_to_date
    assert not shifts(first, tmp_path / "s.parquet", **options).up_to_date
    shifts(first, tmp_path / "s.parquet", tail=0.5)
    assert shifts(first, tmp_path / "s.parquet", tail=0.5, level=0.1).up_to_date
    for options in ({"tail": -0.5}, {"tail": 0.5, "level": 0.2}, {"minimum": 0.05, "maximum": 0.2}):
        assert not shifts(first, tmp_path / "s.parquet", **options).up_to_date
