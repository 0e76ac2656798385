"""The command: what it says, what it refuses, when it has nothing to do; and the model card."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from tiny_models import write_sentence_model

from export.kinds import train_kind
from pipelines.artifacts import read_annotations, read_vectors
from pipelines.export import export
from pipelines.models import encode_texts, load_model
from pipelines.shifts import shifts
from pipelines.train import train


@pytest.fixture
def run(world):
    return train_kind(world, "features")


def usage(folder) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    return code


def test_the_command_writes_a_folder_and_then_has_nothing_to_do(world, run, mmts) -> None:
    output = world.folder / "out"
    ran = mmts("export", run, "-o", output)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{output}: written\nloads with transformers; model card with validation scores")
    assert "note: Texts are embeddings of 10 dimensions, as the run was trained on." in ran.out
    names = sorted(path.name for path in output.iterdir())
    code = ["modeling_mmts.py", "modeling_space_time.py", "modeling_x_clip.py", "tower_vectors.py"]
    assert names == ["README.md", "config.json", "mmts_export.json", "model.safetensors", *code]
    assert [path.name for path in world.folder.glob(".out*")] == []
    weights = (output / "model.safetensors").stat().st_mtime_ns
    again = json.loads(mmts("export", run, "-o", output, "--json").out)
    assert (again["up_to_date"], again["class"], again["scores"]) == (True, "MmtsModel", "validation")
    assert (output / "model.safetensors").stat().st_mtime_ns == weights
    (output / "config.json").unlink()
    assert not json.loads(mmts("export", run, "-o", output, "--json").out)["up_to_date"]
    assert (output / "config.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"minimum": 0.05, "maximum": 0.12}, "0.05 to 0.12"),
        ({"tail": -0.3, "level": 0.08}, "tail -0.3 around 0.08"),
    ],
)
def test_the_card_says_how_the_shifts_were_made(world, options, words) -> None:
    path = world.folder / "made.parquet"
    shifts(world.clusters, path, rule="log", **options)
    options = {"temperature": "mmts", "tau": None, "alpha": 0.04, "oscillations": 1.0, "shifts": path, "epochs": 1}
    train(world.config("run", **options))
    export(world.folder / "run", world.folder / "out", to="transformers")
    card = (world.folder / "out" / "README.md").read_text()
    assert f"| shifts | {words}, log in the cluster's size |" in card
    assert "| alpha | 0.04 |" in card


def test_another_folder_is_not_written_over(world, run, refused, mmts) -> None:
    output = world.folder / "mine"
    output.mkdir()
    (output / "thesis.tex").write_text("years of work")
    assert "holds files that `mmts export` did not write; use --force" in refused("export", run, "-o", output)
    assert (output / "thesis.tex").exists()
    assert mmts("export", run, "-o", output, "--force").code == 0
    assert not (output / "thesis.tex").exists()
    assert "holds the run, or lies in it; give -o a folder of its own" in refused("export", run, "-o", run, "--force")
    assert (run / "metrics.json").exists()


def test_what_fails_leaves_nothing_and_the_old_export(world, run, mmts, monkeypatch) -> None:
    output = world.folder / "out"
    export(run, output)
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    monkeypatch.setattr("pipelines.export.stage.model_card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(run, output, force=True)
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert list(world.folder.glob(".out*")) == []


def test_an_unfinished_run_is_refused(world, run, refused) -> None:
    (run / "metrics.json").unlink()
    assert "is not the folder of a complete run" in refused("export", run, "-o", world.folder / "out")
    assert not (world.folder / "out").exists()


def test_text_embeddings_of_an_unknown_model_are_refused(world, run, refused) -> None:
    message = refused("export", run, "--to", "sentence-transformers", "-o", world.folder / "out")
    assert "was not made by `mmts embed`; use --to transformers" in message
    world.text.unlink()
    message = refused("export", run, "--to", "sentence-transformers", "-o", world.folder / "out")
    assert "which isn't there; use --to transformers" in message


def test_a_missing_package_is_named(world, run, refused, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    message = refused("export", run, "--to", "onnx", "-o", world.folder / "out")
    assert message == "--to onnx needs the package onnxscript; install it with `pip install 'mmts[onnx]'`"


def test_the_card_has_the_recipe_and_the_scores_by_third(world, mmts) -> None:
    run = world.folder / "scheduled"
    changes = {"temperature": "mmts", "tau": None, "alpha": 0.04, "shifts": world.shifts}
    assert mmts(*world.command("scheduled", **changes)).code == 0
    assert mmts("eval", run, "-o", world.folder / "scores", "--resamples", 20).code == 0
    export(run, world.folder / "out", scores=world.folder / "scores")
    card = (world.folder / "out" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\ntags:\n- mmts\n")
    assert "| temperature strategy | mmts |\n| alpha | 0.04 |\n" in card
    assert "eprint        = {2603.08202}" in card
    assert str(world.folder) not in card
    metrics = json.loads((world.folder / "scores" / "metrics.json").read_text())
    for direction in ("text_to_media", "media_to_text"):
        for third in ("head", "middle", "tail"):
            if direction not in metrics["scores"].get(third, {}):
                continue
            recall = metrics["scores"][third][direction]["recall@1"]
            count = metrics["thirds"][direction][third]
            cell = f"{recall['value']:.1f} ({recall['low']:.1f}-{recall['high']:.1f})"
            assert f"| {third} | {count} | {cell} |" in card, (direction, third)


def test_without_scores_the_card_says_that_they_are_of_the_validation(world, run) -> None:
    export(run, world.folder / "out")
    card = (world.folder / "out" / "README.md").read_text()
    assert "On the validation split `val`, by which the epoch was chosen, so these are not test scores" in card
    found = json.loads((run / "metrics.json").read_text())["validation"][0]
    names = [f"{way}_recall@{k}" for way in ("text_to_media", "media_to_text") for k in (1, 5, 10)]
    assert f"| overall | {' | '.join(f'{found[name]:.1f}' for name in names)} |" in card


def test_scores_of_another_run_are_refused(world, run, mmts, refused) -> None:
    assert mmts(*world.command("other", seed=4)).code == 0
    assert mmts("eval", world.folder / "other", "-o", world.folder / "scores", "--resamples", 0).code == 0
    message = refused("export", run, "-o", world.folder / "out", "--scores", world.folder / "scores")
    assert "are not of" in message


@pytest.mark.parametrize(
    ("kind", "library"),
    [
        ("features", "transformers"),
        ("clips", "transformers"),
        ("siglip", "transformers"),
        ("sentences", "sentence-transformers"),
        pytest.param("features", "onnx", marks=pytest.mark.slow),
        pytest.param("sentences", "onnx", marks=pytest.mark.slow),
    ],
)
def test_the_code_on_the_card_runs(world, monkeypatch, kind, library) -> None:
    pytest.importorskip("av" if kind == "clips" else "onnxruntime" if library == "onnx" else library.replace("-", "_"))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(world.folder / "modules"))
    monkeypatch.syspath_prepend(world.folder / "modules")
    for name in [each for each in sys.modules if each.split(".")[0] == "transformers_modules"]:
        monkeypatch.delitem(sys.modules, name)  # of a test with another cache
    run = train_kind(world, kind)
    export(run, world.folder / "out", to=library)
    shutil.copy(world.folder / "images" / "m01.png", world.folder / "image.png")
    Image.open(world.folder / "image.png").convert("RGB").save(world.folder / "image.jpg")
    monkeypatch.chdir(world.folder)
    names: dict[str, object] = {}
    exec(usage(world.folder / "out"), names)
    similarity = np.asarray(names["similarity"])
    assert similarity.size
    assert np.abs(similarity).max() <= 1 + 1e-6


def test_embeddings_of_a_known_model_get_it_in_front(world, mmts, refused) -> None:
    model = write_sentence_model(world.folder / "models", normalize=False)
    embedded = world.folder / "embedded.parquet"
    assert mmts("embed", world.annotations, "-o", embedded, "--model", model).code == 0
    assert mmts(*world.command("run", text=embedded, projection="mlp")).code == 0
    run, output = world.folder / "run", world.folder / "out"
    ran = mmts("export", run, "--to", "sentence-transformers", "-o", output)
    assert "note: The side of texts only: sentence-transformers has no place for media features." in ran.out
    assert "The side of texts only" in (output / "README.md").read_text()
    vectors = read_vectors(embedded)
    expected_nd = encode_texts(load_model(run / "model"), torch.from_numpy(vectors.matrix_nd), torch.device("cpu"))
    table = read_annotations(world.annotations)
    text_of = dict(zip(table.column("sample_id").to_pylist(), table.column("text").to_pylist(), strict=True))
    found_nd = SentenceTransformer(str(output), device="cpu").encode(
        [text_of[each] for each in vectors.ids.to_pylist()]
    )
    np.testing.assert_allclose(found_nd, expected_nd.numpy(), atol=1e-5)
    shutil.copy(write_sentence_model(world.folder / "others") / "modules.json", model)
    message = refused("export", run, "--to", "sentence-transformers", "-o", world.folder / "again")
    assert "was another" in message
