"""What names a model in a fingerprint, and whether a run's model is as trained."""

import json
import os
import shutil
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.model_files import DEFAULT_MODEL, model_identity, require_as_trained, resolve_model
from pipelines.models import build_model, save_model


def test_the_default_model_is_a_folder_on_disk() -> None:
    assert Path(resolve_model(DEFAULT_MODEL), "modules.json").is_file()
    assert resolve_model("all-MiniLM-L6-v2") == resolve_model(DEFAULT_MODEL)
    assert resolve_model("someone/else") == "someone/else"


def test_a_model_in_a_folder_is_known_by_its_contents_alone(tiny, tmp_path) -> None:
    folder = shutil.copytree(tiny("bert"), tmp_path / "model")
    first = model_identity(str(folder))
    os.utime(folder / "config_sentence_transformers.json", (1, 1))
    (folder / "README.md").write_text("about it")
    (folder / "pytorch_model.bin").write_bytes(b"not read beside safetensors")
    folder = folder.rename(tmp_path / "moved")
    assert model_identity(str(folder)) == first
    changed = folder / "1_Pooling" / "config.json"
    changed.write_text(changed.read_text() + " ")
    assert model_identity(str(folder)) != first
    assert model_identity("someone/else") == {"model": "someone/else"}


def test_beside_a_lone_config_only_what_is_read_counts(tmp_path) -> None:
    config = tmp_path / "config.json"
    config.write_text("{}")
    first = model_identity(str(config))
    (tmp_path / "captions.json").write_text("[]")
    assert model_identity(str(config)) == first
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert model_identity(str(config)) != first


def test_a_folder_without_a_model_has_no_identity(tmp_path) -> None:
    with pytest.raises(InputError, match=r"holds no model; neither config\.json nor modules\.json is there"):
        model_identity(str(tmp_path))


@pytest.fixture(scope="module")
def saved(tmp_path_factory, tiny) -> Path:
    folder = tmp_path_factory.mktemp("run") / "model"
    save_model(build_model(str(tiny("vit")), str(tiny("bert")), dimension=4), folder)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_any_byte_of_any_file_counts(saved, tmp_path) -> None:
    names = [name for name in files(saved) if name != "dual_encoder.json"]
    assert {"heads.safetensors", "media_tower/model.safetensors", "text_tower/tokenizer.json"} <= set(names)
    require_as_trained(saved)
    for name in names:
        folder = shutil.copytree(saved, tmp_path / "model")
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"{name}: changed since the run was trained; restore the run's folder"):
            require_as_trained(folder)
        shutil.rmtree(folder)


def test_files_that_are_gone_or_new_are_named(saved, tmp_path) -> None:
    folder = shutil.copytree(saved, tmp_path / "model")
    (folder / "README.md").write_text("words are welcome")
    require_as_trained(folder)
    (folder / "media_tower" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"adapter_config\.json: was not there when the run was trained"):
        require_as_trained(folder)
    (folder / "media_tower" / "adapter_config.json").unlink()
    (folder / "heads.safetensors").unlink()
    with pytest.raises(InputError, match=r"heads\.safetensors: is not there any more; restore the run's folder"):
        require_as_trained(folder)


def test_a_digest_of_nonsense_is_refused(saved, tmp_path) -> None:
    folder = shutil.copytree(saved, tmp_path / "model")
    settings = json.loads((folder / "dual_encoder.json").read_text())
    (folder / "dual_encoder.json").write_text(json.dumps({**settings, "files": [1]}))
    with pytest.raises(InputError, match=r"dual_encoder\.json: is not what `mmts train` writes"):
        require_as_trained(folder)
