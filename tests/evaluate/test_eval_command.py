"""``mmts eval``: what it shows, and wrong input in one line with the existing output untouched."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.train import train


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(world):
    train(world.config("run"))
    return world.folder / "run"


@pytest.fixture
def refusal(world, run, mmts, refused):
    """Refuse to score over existing scores, and check that no file changed."""

    def check(*flags, run_folder=run):
        output = world.folder / "scores"
        assert mmts("eval", run, "-o", output, "--resamples", 0).code == 0
        before = contents(world.folder)
        message = refused("eval", *([run_folder] if run_folder else []), "-o", output, *flags)
        assert contents(world.folder) == before
        return message

    return check


def test_tables_for_people(world, run, mmts) -> None:
    command = ["eval", run, "-o", world.folder / "s", "--clusters", world.shifts, "--resamples", 20]
    first, second = mmts(*command), mmts(*command)
    assert (first.code, second.code) == (0, 0)
    lines = first.out.splitlines()
    assert lines[:2] == [
        f"{world.folder / 's'}: written",
        "protocol captions: 48 text queries (0 tied), 24 media queries (0 tied; ties by index)",
    ]
    assert lines[2].startswith("thirds of the samples by training cluster size: tail below ")
    assert second.out.splitlines() == [f"{world.folder / 's'}: up to date", *lines[1:]]
    metrics = json.loads((world.folder / "s" / "metrics.json").read_text())
    rows = [line.split() for line in lines if line.startswith(("overall", "head", "middle", "tail"))]
    shown = [(row[0], row[1], row[2]) for row in rows]
    expected = [
        (name, f"{score['recall@1']['value']:.1f}")
        for direction in ("text_to_media", "media_to_text")
        for name, score in ((n, metrics["scores"][n][direction]) for n in ("overall", "head", "middle", "tail"))
    ]
    assert [(name, value) for name, _, value in shown] == expected
    assert [int(count) for name, count, _ in shown if name == "overall"] == [48, 24]


def test_without_sizes_it_says_how_to_get_thirds(world, run, mmts) -> None:
    command = ["eval", run, "-o", world.folder / "s", "--resamples", 0]
    for _ in ("written", "up to date"):
        assert mmts(*command).out.splitlines()[2] == "no thirds: no cluster sizes known; --frequency gives sizes"


def test_json_for_scripts(world, run, mmts) -> None:
    ran = mmts("eval", run, "-o", world.folder / "s", "--json", "--resamples", 0)
    metrics = json.loads((world.folder / "s" / "metrics.json").read_text())
    head = {"command": "eval", "output": str(world.folder / "s"), "up_to_date": False}
    assert json.loads(ran.out) == {**head, **metrics}
    assert ran.err == ""


def test_what_is_no_complete_run(world, refusal) -> None:
    wanted = "is not the folder of a complete run; make one with `mmts train`"
    assert refusal(run_folder=world.folder / "nowhere").endswith(f"nowhere: {wanted}")
    assert wanted in refusal(run_folder=world.annotations)
    (world.folder / "half").mkdir()
    (world.folder / "half" / "config.json").write_text("{}")
    assert wanted in refusal(run_folder=world.folder / "half")


def test_a_run_without_its_weights(world, run, refusal) -> None:
    weights = (run / "model" / "heads.safetensors").read_bytes()
    (run / "model" / "heads.safetensors").unlink()
    assert "heads.safetensors: is not there any more" in refusal_after(refusal, run, weights, None)
    assert "heads.safetensors: changed since the run was trained" in refusal_after(refusal, run, weights, weights[:-8])


def refusal_after(refusal, run, whole: bytes, broken: bytes | None) -> str:
    """Score with whole weights, so that there is output to keep, and again with broken ones."""
    path = run / "model" / "heads.safetensors"
    path.write_bytes(whole)
    copy = run.parent / "broken"
    if not copy.exists():
        copy.mkdir()
        for name, data in contents(run).items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(data)
    (copy / "model" / "heads.safetensors").unlink(missing_ok=True)
    if broken is not None:
        (copy / "model" / "heads.safetensors").write_bytes(broken)
    return refusal("--seed", 3, run_folder=copy)


def test_without_a_run_both_files_are_needed(world, refusal) -> None:
    given = {"--media": world.media, "--text": world.text, "--annotations": world.annotations}
    for left_out in given:
        flags = [part for flag, path in given.items() if flag != left_out for part in (flag, path)]
        assert refusal(*flags, run_folder=None) == f"{left_out} is missing; give it, or a run that was trained with it"


def test_spaces_of_two_sizes(world, refusal) -> None:
    flags = ["--media", world.media, "--text", world.text, "--annotations", world.annotations]
    message = refusal(*flags, run_folder=None)
    assert message.startswith(f"{world.media} holds 12-dimensional vectors and {world.text} 10-dimensional ones; ")


@pytest.mark.parametrize(("role", "size"), [("media", 12), ("text", 10)])
def test_vectors_of_another_size_than_the_runs(world, refusal, run, role, size) -> None:
    def shorten(table: pa.Table) -> pa.Table:
        return table.set_column(1, "embedding", pa.array([each[:-1] for each in table["embedding"].to_pylist()]))

    path = world.rewrite(role, shorten, "short.parquet")
    message = refusal(f"--{role}", path)
    wanted = f"short.parquet: holds {size - 1}-dimensional vectors, but {run} was trained on {size}-dimensional ones"
    assert message.endswith(wanted)  # long paths lose their first part


@pytest.mark.parametrize("role", ["annotations", "media", "text", "clusters"])
def test_files_that_cant_be_read(world, refusal, role) -> None:
    file = getattr(world, role)
    missing = world.folder / f"{role}x.parquet"
    assert refusal(f"--{role}", missing).endswith(f"{role}x.parquet: no such file; did you mean '{role}.parquet'?")
    (world.folder / "cut.parquet").write_bytes(file.read_bytes()[:-40])
    message = refusal(f"--{role}", world.folder / "cut.parquet")
    assert "cut.parquet: truncated or damaged Parquet file" in message
    (world.folder / "folder").mkdir()
    message = refusal(f"--{role}", world.folder / "folder")
    wanted = "holds images, which need a vision model" if role == "media" else "is a directory; a file was expected"
    assert f"folder: {wanted}" in message


@pytest.mark.parametrize(
    ("role", "column"),
    [("annotations", "sample_id"), ("media", "embedding"), ("text", "sample_id"), ("clusters", "cluster_size")],
)
def test_a_column_of_another_name(world, refusal, role, column) -> None:
    path = world.rewrite(
        role,
        lambda table: table.rename_columns([f"{name}s" if name == column else name for name in table.column_names]),
        "renamed.parquet",
    )
    message = refusal(f"--{role}", path)
    assert f"renamed.parquet: no column '{column}'" in message
    assert f"did you mean '{column}s'?" in message


@pytest.mark.parametrize(
    ("role", "column", "message"),
    [
        ("media", "media_id", "1 of 24 media are missing there, first: m70.png"),
        ("text", "sample_id", "2 of 48 samples are missing there, first: m70.png#"),
        ("clusters", "sample_id", "2 of 48 samples are missing there, first: m70.png#"),
    ],
)
def test_ids_missing_in_another_file(world, refusal, role, column, message) -> None:
    path = world.rewrite(
        role,
        lambda table: table.filter(pa.array([not each.startswith("m70") for each in table[column].to_pylist()])),
        "less.parquet",
    )
    assert f"less.parquet: {message}" in refusal(f"--{role}", path)


@pytest.mark.parametrize("role", ["media", "text"])
def test_vectors_that_are_no_numbers(world, refusal, role) -> None:
    def spoil(table: pa.Table) -> pa.Table:
        vectors = table["embedding"].to_pylist()
        vectors[5][3] = np.nan
        return table.set_column(1, "embedding", pa.array(vectors, table.schema.field("embedding").type))

    path = world.rewrite(role, spoil, "spoilt.parquet")
    assert "spoilt.parquet: 1 vectors hold NaN or infinite values, first " in refusal(f"--{role}", path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split", "tset"], "no rows of split 'tset'; splits there: test, train, val"),
        (["--folds", "5"], "5 folds don't divide 24 media: choose a divisor"),
        (["--protocol", "pairs"], "protocol pairs needs one text per medium"),
        (["--device", "abacus", "--seed", "4"], "--device abacus: can't be used here"),
        (["--protocol", "recall"], "'--protocol'"),
        (["--ties", "random"], "'--ties'"),
    ],
)
def test_options_that_cant_be(refusal, flags, message) -> None:
    assert message in refusal(*flags)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds", 4], "--folds divides the media of a split; leave it out with --gallery all"),
        (["--protocol", "ek100"], "--gallery all: is for --protocol captions and pairs; leave it out with ek100"),
        (
            ["--media", "images.zip"],
            "--gallery all takes a features file, not images.zip; make one with `mmts embed --media`",
        ),
        (["--media", "less.parquet"], "less.parquet: 2 of 48 media are missing there, first: m70.png"),
    ],
)
def test_galleries_that_cant_be(world, refusal, monkeypatch, flags, message) -> None:
    monkeypatch.chdir(world.folder)
    world.images("images.zip")
    others = pa.array([each for each in world.media_ids if not each.startswith("m70")])
    world.rewrite("media", lambda table: table.filter(pc.is_in(table["media_id"], others)), "less.parquet")
    assert message in refusal("--gallery", "all", *flags)


def test_block_memory_is_at_least_a_mebibyte(world, refusal) -> None:
    assert "'--block-memory'" in refusal("--block-memory", 0)


def test_a_seed_without_resamples_is_refused(refusal) -> None:
    assert "--seed 7: seeds the bootstrap; leave it out with --resamples 0" in refusal("--seed", 7, "--resamples", 0)


def test_a_refused_eval_leaves_no_folder(world, run, refused) -> None:
    output = world.folder / "new" / "scores"
    assert "no rows of split 'tset'" in refused("eval", run, "-o", output, "--split", "tset")
    assert not output.parent.exists()
    output.mkdir(parents=True)
    assert "no rows of split 'tset'" in refused("eval", run, "-o", output, "--split", "tset")
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("width", [60, 80, 100])
def test_values_of_100_are_not_cut(world, run, mmts, monkeypatch, width) -> None:
    """One image and its captions: every recall and its interval is 100.0."""
    monkeypatch.setenv("COLUMNS", str(width))
    only = world.samples("test")[0][:-2]
    world.rewrite("annotations", lambda t: t.filter(pc.equal(t["media_id"], only)), "one.parquet")
    flags = ["--annotations", world.folder / "one.parquet", "--media", world.media, "--text", world.text]
    lines = mmts("eval", run, *flags, "-o", world.folder / "s", "--resamples", 5).out.splitlines()[3:]
    assert max(len(line) for line in lines) <= width
    heads = [line.split("  ") for line in lines if line.startswith(("text to media", "media to text"))]
    for name in ("R@1", "R@5", "R@10", "mean rank", "median rank"):
        assert sum(name in (cell.strip() for cell in head) for head in heads) == 2
    assert sum(line.split().count("100.0-100.0") for line in lines) == 6


def test_a_path_that_cant_be_written(world, run, refused) -> None:
    (world.folder / "file").write_text("mine")
    assert refused("eval", run, "-o", world.folder / "file").endswith("file: is a file; a folder was expected")
    assert "can't be written" in refused("eval", run, "-o", world.folder / "file" / "scores")
    assert (world.folder / "file").read_text() == "mine"


def test_ranks_of_another_tool_are_kept(world, run, refused) -> None:
    folder = world.folder / "scores"
    folder.mkdir()
    (folder / "ranks.parquet").write_bytes(b"mine")
    assert "exists and was not written by mmts" in refused("eval", run, "-o", folder)
    assert contents(folder) == {"ranks.parquet": b"mine"}
