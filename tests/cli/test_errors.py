"""Wrong input: one line, exit code 2, the existing output untouched, nothing left behind."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COMMANDS = {
    "table": "prepare table {source} --text-column caption --media-id-column image",
    "flickr8k": "prepare flickr8k --captions {source}",
    "embed": "embed {source}",
    "kmeans": "cluster {source} --k 4",
    "hdbscan": "cluster {source} --method hdbscan --umap-dims 0 --min-cluster-size 2",
    "class": "cluster {source} --method class --column noun",
    "shifts": "shifts {source} --min 0.05 --max 0.2",
    "inspect": "inspect {source}",
}
SOURCES = {
    "table": "captions.csv",
    "flickr8k": "captions.csv",
    "embed": "annotations.parquet",
    "kmeans": "embeddings.parquet",
    "hdbscan": "embeddings.parquet",
    "class": "annotations.parquet",
    "shifts": "clusters.parquet",
    "inspect": "shifts.parquet",
}
WRITING = [command for command in COMMANDS if command != "inspect"]
OF_PARQUET = [command for command in COMMANDS if SOURCES[command].endswith(".parquet")]


def arguments(command: str, source: str, output: str = "out.parquet") -> list[str]:
    words = COMMANDS[command].replace("{source}", source).split()
    return words if command == "inspect" else [*words, "-o", output]


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def refusal(made, mmts, refused):
    """Run a command over an output that another run of it wrote, and check that all files stay as they are."""

    def run(command: str, source: str) -> str:
        if command != "inspect":
            assert mmts(*arguments(command, SOURCES[command])).code == 0
        before = contents(made)
        message = refused(*arguments(command, source))
        assert contents(made) == before
        return message

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_file(refusal, command) -> None:
    source = SOURCES[command]
    assert refusal(command, f"{source[:3]}{source[4:]}").endswith(f": no such file; did you mean '{source}'?")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_directory_where_a_file_was_expected(refusal, made, command) -> None:
    folder = "folder" + SOURCES[command][SOURCES[command].index(".") :]
    (made / folder).mkdir()
    assert refusal(command, folder).startswith(f"{folder}: is a directory; a file was expected")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_file(refusal, made, command) -> None:
    empty = "none" + SOURCES[command][SOURCES[command].index(".") :]
    (made / empty).touch()
    assert refusal(command, empty) == f"{empty}: the file is empty (0 bytes)"


@pytest.mark.parametrize("command", OF_PARQUET)
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_truncated_file(refusal, made, command, share) -> None:
    whole = (made / SOURCES[command]).read_bytes()
    (made / "cut.parquet").write_bytes(whole[: int(share * len(whole))])
    assert refusal(command, "cut.parquet").startswith("cut.parquet: truncated or damaged Parquet file")


@pytest.mark.parametrize("command", WRITING)
def test_no_rows(refusal, made, command) -> None:
    source = SOURCES[command]
    if source.endswith(".csv"):
        (made / "none.csv").write_text((made / source).read_text().splitlines()[0] + "\n")
        assert refusal(command, "none.csv") == "none.csv: has no rows"
    else:
        table = pq.read_table(source)
        pq.write_table(table.slice(0, 0).replace_schema_metadata(pq.read_metadata(source).metadata), "none.parquet")
        assert refusal(command, "none.parquet -q") == "none.parquet: has no rows"


@pytest.mark.parametrize("command", WRITING)
def test_an_output_that_is_a_directory(made, refused, command) -> None:
    (made / "folder").mkdir()
    before = contents(made)
    message = refused(*arguments(command, SOURCES[command], "folder"))
    assert message == "folder: is a directory; give the output a file name"
    assert contents(made) == before


@pytest.mark.parametrize("command", WRITING)
def test_an_output_that_cant_be_written(made, refused, command) -> None:
    """A file where the folder should be: not even root can write there."""
    (made / "file").write_text("x")
    before = contents(made)
    message = refused(*arguments(command, SOURCES[command], "file/out.parquet"))
    assert message.startswith("file/out.parquet: can't be written (")
    assert message.endswith("); choose another output path")
    assert contents(made) == before


@pytest.mark.parametrize("command", WRITING)
def test_an_output_that_is_the_input(made, refused, command) -> None:
    before = contents(made)
    message = refused(*arguments(command, SOURCES[command], SOURCES[command]))
    assert message == f"{SOURCES[command]}: is both input and output; choose another output path"
    assert contents(made) == before


@pytest.mark.parametrize("command", WRITING)
def test_a_full_disk(made, refused, monkeypatch, command) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    before = contents(made)
    monkeypatch.setattr("pipelines.artifacts.parquet._HashingSink.write", full)
    message = refused(*arguments(command, SOURCES[command]))
    assert message == "out.parquet: can't be written (No space left on device); choose another output path"
    assert contents(made) == before


@pytest.mark.parametrize(
    ("command", "renamed", "message"),
    [
        ("embed", {"text": "texts"}, "no column 'text' as annotations have; did you mean 'texts'?"),
        ("kmeans", {"embedding": "embeddings"}, "no column 'embedding'; did you mean 'embeddings'?"),
        ("hdbscan", {"sample_id": "sample"}, "no column 'sample_id'; did you mean 'sample'?"),
        ("class", {"noun": "noun_class"}, "no column 'noun' as annotations have; did you mean 'noun_class'?"),
        ("shifts", {"cluster_size": "size"}, "no column 'cluster_size' as clusters have; did you mean"),
    ],
)
def test_a_wrong_column(refusal, made, write_artifact, command, renamed, message) -> None:
    table = pq.read_table(SOURCES[command])
    write_artifact(made / "bad.parquet", table.rename_columns([renamed.get(n, n) for n in table.column_names]))
    assert message in refusal(command, "bad.parquet")


def test_a_wrong_column_of_a_csv(made, refused) -> None:
    message = refused("prepare", "table", "captions.csv", "-o", "out.parquet", "--text-column", "captoin")
    assert message.startswith("captions.csv: no column 'captoin'; did you mean 'caption'? (columns: image, ")


@pytest.mark.parametrize("command", ["embed", "kmeans", "hdbscan", "class", "shifts"])
def test_a_repeated_sample_id(refusal, made, write_artifact, command) -> None:
    table = pq.read_table(SOURCES[command])
    first, second = table.column("sample_id").slice(0, 2).to_pylist()
    write_artifact(made / "bad.parquet", pa.concat_tables([table, table.slice(0, 2)]))
    message = refusal(command, "bad.parquet")
    assert message == f"bad.parquet: 2 values of sample_id occur more than once, first: {first}, {second}"


def test_a_repeated_id_in_a_csv(made, refused) -> None:
    message = refused("prepare", "table", "captions.csv", "-o", "x", "--text-column", "caption", "--id-column", "image")
    assert message == "captions.csv: 12 values of image occur more than once, first: 0.jpg, 1.jpg, 2.jpg"


@pytest.mark.parametrize("command", ["kmeans", "hdbscan"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_no_numbers(refusal, made, write_artifact, command, value) -> None:
    columns = pq.read_table("embeddings.parquet").to_pydict()
    columns["embedding"][3][1] = value
    columns["embedding"][5][0] = value
    write_artifact(made / "bad.parquet", columns)
    message = refusal(command, "bad.parquet")
    first = ", ".join(columns["sample_id"][row] for row in (3, 5))
    assert message.startswith(f"bad.parquet: 2 vectors hold NaN or infinite values, first sample_id: {first}; ")


@pytest.mark.parametrize("command", ["kmeans", "hdbscan"])
def test_vectors_of_several_dimensions(refusal, made, write_artifact, command) -> None:
    columns = pq.read_table("embeddings.parquet").to_pydict()
    columns["embedding"][3] = columns["embedding"][3][:5]
    write_artifact(made / "bad.parquet", columns)
    said = f"vectors of 5 and 8 dimensions in one file, first of other size: {columns['sample_id'][3]}"
    assert refusal(command, "bad.parquet") == f"bad.parquet: {said}"


def test_ids_of_one_file_missing_in_another(made, refused, write_artifact) -> None:
    clusters = pq.read_table("clusters.parquet")
    write_artifact(made / "fewer.parquet", clusters.slice(2))
    message = refused(*arguments("shifts", "clusters.parquet fewer.parquet"))
    ids = clusters.column("sample_id").to_pylist()
    first, there = ", ".join(ids[:2]), ", ".join(ids[2:4])
    said = f"fewer.parquet: 2 of 24 samples of clusters.parquet are missing there, first: {first}; it holds {there}"
    assert message == said
    message = refused(*arguments("shifts", "fewer.parquet clusters.parquet"))
    assert message.startswith("fewer.parquet: 2 of 24 samples of clusters.parquet are missing there")
    assert not (made / "out.parquet").exists()


def test_empty_texts(refusal, made, write_artifact) -> None:
    columns = pq.read_table("annotations.parquet").to_pydict()
    columns["text"][1], columns["text"][4] = " ", None
    write_artifact(made / "bad.parquet", columns)
    message = refusal("embed", "bad.parquet")
    first = [f"row {row + 1} ({columns['sample_id'][row]})" for row in (1, 4)]
    assert message.startswith(f"bad.parquet: 2 texts are empty or null, first: {', '.join(first)}; `mmts prepare`")


def test_missing_classes(refusal, made, write_artifact) -> None:
    columns = pq.read_table("annotations.parquet").to_pydict()
    columns["noun"][1] = None
    write_artifact(made / "bad.parquet", columns)
    assert refusal("class", "bad.parquet") == f"bad.parquet: 1 rows have no noun, first: {columns['sample_id'][1]}"


def test_more_clusters_than_distinct_points(made, refused) -> None:
    message = refused("cluster", "embeddings.parquet", "-o", "out.parquet", "--k", 10)
    assert message == "--k 10: the 18 rows to fit on hold only 9 distinct points; the largest k is 9"


def test_missing_images(made, refused) -> None:
    (made / "images").mkdir()
    (made / "images" / "0.jpg").touch()
    message = refused("prepare", "flickr8k", "--captions", "captions.csv", "--images", "images", "-o", "out.parquet")
    assert message.startswith("images: 11 of 12 media are missing there, first: 1.jpg, 2.jpg; it holds 0.jpg; ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "cluster embeddings.parquet -o x --method kmean",
            "'kmean' is not one of 'class', 'hdbscan', 'kmeans', 'knn'. (see mmts cluster --help)",
        ),
        ("cluster embeddings.parquet -o x --k four", "Invalid value for '--k': Input should be a valid integer"),
        ("cluster embeddings.parquet -o x --kk 4", "No such option: --kk"),
        ("cluster embeddings.parquet -o x", "--method kmeans needs --k, the number of clusters"),
        ("cluster embeddings.parquet --k 4", "Missing option '--output' / '-o'. (see mmts cluster --help)"),
        ("cluster -o x --k 4", "Missing argument 'source'"),
        ("clutser", "No such command 'clutser'. Did you mean 'cluster'?"),
        ("shifts clusters.parquet -o x --min 0.3 --max 0.1", "the smallest shift 0.3 is above the largest 0.1"),
        ("embed annotations.parquet -o x --batch-size 0", "--batch-size 0: expected at least 1"),
        ("inspect shifts.parquet --rows -1", "Invalid value for '--rows': Input should be greater than or equal to 0"),
    ],
)
def test_flags_that_cant_be(made, refused, line, message) -> None:
    before = contents(made)
    assert message in refused(*line.split())
    assert contents(made) == before


def test_pandas_may_have_dropped_everything_but_the_rows(made, mmts) -> None:
    frame = pd.read_parquet("embeddings.parquet")
    frame.sample(frac=1, random_state=0).to_parquet("shuffled.parquet", index=False)
    assert mmts(*arguments("kmeans", "shuffled.parquet")).code == 0
