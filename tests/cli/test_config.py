"""Flags from a TOML file."""

import json

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def toml(made):
    def write(text: str) -> str:
        (made / "flags.toml").write_text(text)
        return "flags.toml"

    return write


def parameters(path) -> dict:
    return json.loads(pq.read_metadata(path).metadata[b"mmts"])["parameters"]


def test_every_flag_can_come_from_a_file(made, mmts, toml) -> None:
    flags = toml('source = "embeddings.parquet"\noutput = "o.parquet"\nk = 3\nspherical = false\nfit-split = "train"\n')
    assert mmts("cluster", "--config", flags).code == 0
    found = parameters("o.parquet")
    assert (found["k"], found["spherical"], found["fit_split"]) == (3, False, "train")


def test_flags_are_named_as_they_are_typed(made, mmts, toml) -> None:
    flags = toml('clusters = ["clusters.parquet"]\noutput = "o.parquet"\nmin = 1\nmax = 1.5\nrule = "rank"\n')
    assert mmts("shifts", "--config", flags).code == 0
    assert parameters("o.parquet") == {"minimum": 1.0, "maximum": 1.5, "rule": "rank"}


def test_typed_flags_win(made, mmts, toml) -> None:
    flags = toml('output = "o.parquet"\nk = 3\nniter = 7\n')
    assert mmts("cluster", "embeddings.parquet", "--k", 2, "--config", flags).code == 0
    assert (parameters("o.parquet")["k"], parameters("o.parquet")["niter"]) == (2, 7)


def test_one_file_can_serve_several_commands(made, mmts, toml) -> None:
    flags = toml(
        '[prepare.table]\ntext-column = "caption"\n[cluster]\ncolumn = ["noun"]\nmethod = "class"\n'
        "[shifts]\nmin = 0.1\nmax = 0.3\n"
    )
    assert mmts("prepare", "table", "captions.csv", "-o", "a", "--config", flags).code == 0
    assert mmts("cluster", "annotations.parquet", "-o", "c", "--config", flags).code == 0
    assert mmts("shifts", "c", "-o", "s", "--config", flags).code == 0
    assert parameters("c")["columns"] == ["noun"]
    assert parameters("s")["maximum"] == 0.3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nitre = 3", "flags.toml: 'nitre' is not a flag of mmts cluster; did you mean 'niter'?"),
        ('path = "x"', "flags.toml: 'path' is not a flag of mmts cluster"),
        ("[cluster]\nnitre = 3", "flags.toml: 'nitre' is not a flag of mmts cluster; did you mean 'niter'?"),
        ('k = "3"', "flags.toml: k = '3': Input should be a valid integer"),
        ("k = 3.0", "flags.toml: k = 3.0: Input should be a valid integer"),
        ("k = true", "flags.toml: k = True: Input should be a valid integer"),
        ("spherical = 1", "flags.toml: spherical = 1: Input should be a valid boolean"),
        ('column = "noun"', "flags.toml: column = 'noun': Input should be a valid array"),
        ("source = 3", "flags.toml: source = 3: "),
        ('method = "kmean"', "flags.toml: method = 'kmean': Input should be 'class', 'hdbscan', 'kmeans' or 'knn'"),
        ("k = ", "flags.toml: not valid TOML ("),
    ],
)
def test_what_is_no_flag_or_of_another_type_is_refused(made, refused, toml, text, message) -> None:
    refusal = refused("cluster", "embeddings.parquet", "-o", "o.parquet", "--config", toml(text))
    assert refusal.startswith(message)
    assert not (made / "o.parquet").exists()


def test_a_file_that_is_not_there_is_refused(made, refused) -> None:
    (made / "flags.toml").touch()
    assert refused("cluster", "--config", "flag.toml") == "flag.toml: no such file; did you mean 'flags.toml'?"


@pytest.mark.parametrize("content", ['{"command": "train", "parameters": {}}', "[]"])
def test_the_configuration_of_another_command_is_refused(made, refused, content) -> None:
    (made / "config.json").write_text(content)
    message = refused("cluster", "embeddings.parquet", "--config", "config.json")
    assert message == "config.json: is not the config.json of a run of mmts cluster"
