"""No code but ours: nothing of a model's folder runs or is unpickled unless the command line says so."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import write_sentence_model

import pipelines
from pipelines.artifacts import read_provenance
from pipelines.errors import InputError
from pipelines.models import load_text_tower, load_vision_tower
from pipelines.models.loading import load_transformers

CODE = """
import os
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

open(os.environ["RAN"], "a").write("ran ")
print("a model that talks")


class C(PretrainedConfig):
    model_type = "strange"
    image_size = 16


class M(PreTrainedModel):
    config_class = C
    main_input_name = "pixel_values"

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(3, 8)
        self.post_init()

    def forward(self, pixel_values):
        return BaseModelOutputWithPooling(pooler_output=self.layer(pixel_values.mean(dim=(2, 3))))
"""


@pytest.fixture
def ran(tmp_path, monkeypatch) -> Path:
    """The file that the model's code writes when it runs."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    return tmp_path / "ran"


@pytest.fixture
def strange(tmp_path) -> Path:
    """A vision model with code of its own."""
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "strange.py").write_text(CODE)
    names = {"AutoConfig": "strange.C", "AutoModel": "strange.M"}
    (folder / "config.json").write_text(json.dumps({"model_type": "strange", "auto_map": names}))
    return folder


@pytest.fixture
def pixels(world):
    """The arguments that train a run on pixels with a model, as words."""
    images = world.images()

    def words(model: object, *more: str) -> list[object]:
        return [*world.command("run", media=images, media_model=model, epochs=1), *more]

    return words


@pytest.mark.parametrize("terminal", ["yes", "none"])
@pytest.mark.slow
def test_a_model_s_own_code_never_runs_unasked_nor_is_it_asked_for(strange, ran, pixels, terminal) -> None:
    command = [sys.executable, "-m", "mmts_cli", *map(str, pixels(strange, "--json"))]
    answers = subprocess.Popen(["yes"], stdout=subprocess.PIPE) if terminal == "yes" else None
    try:
        stdin = subprocess.DEVNULL if answers is None else answers.stdout
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, timeout=600, start_new_session=True)
    finally:
        if answers is not None:
            answers.kill()
            answers.communicate()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmts: --media-model ")
    assert done.stderr.count("\n") == 1
    assert "comes with code of its own, which is not run; --trust-remote-code runs it, if you trust" in done.stderr
    assert not ran.exists()


def test_with_the_flag_it_runs_and_the_records_say_so(strange, ran, pixels, world, mmts, refused) -> None:
    done = mmts(*pixels(strange, "--trust-remote-code", "--json"))
    assert done.code == 0, done.err
    assert json.loads(done.out)["command"] == "train"  # what the model prints is not on stdout
    assert "ran" in ran.read_text()
    run = world.folder / "run"
    assert json.loads((run / "config.json").read_text())["parameters"]["trust_remote_code"] is True
    made = read_provenance(run / "steps.parquet")
    assert made is not None
    assert made.parameters["trust_remote_code"] is True
    for line in (["eval", run], ["embed", world.annotations, "--media", world.folder / "images", "--model", run]):
        output = world.folder / f"out-{line[0]}"
        assert "comes with code of its own, which is not run" in refused(*line, "-o", output)
        assert mmts(*line, "-o", output, "--trust-remote-code").code == 0
        recorded = read_provenance(output / "ranks.parquet" if line[0] == "eval" else output)
        assert recorded is not None
        assert recorded.parameters["trust_remote_code"] is True
    # The record of a run is no flag: fed back, it does not run anything.
    message = refused("train", "--config", run / "config.json", "-o", world.folder / "again")
    assert "comes with code of its own" in message


def test_no_file_turns_it_on(world, refused) -> None:
    (world.folder / "run.toml").write_text("trust-remote-code = true\n")
    message = refused(*world.command("run"), "--config", world.folder / "run.toml")
    assert "run.toml: trust-remote-code runs code of others; give it on the command line, not" in message


@pytest.mark.parametrize("place", ["modules.json", "router_config.json"])
def test_modules_of_others_are_not_imported(tiny, tmp_path, ran, place) -> None:
    folder = shutil.copytree(tiny("bert"), tmp_path / "model")
    (folder / "own.py").write_text('import os\nopen(os.environ["RAN"], "w")\nclass Module: pass\n')
    listed = json.loads((folder / "modules.json").read_text())
    if place == "modules.json":
        listed[1]["type"] = "own.Module"
        (folder / place).write_text(json.dumps(listed))
    else:
        (folder / "1_Pooling" / place).write_text(json.dumps({"types": {"text": "own.Module"}}))
    with pytest.raises(InputError, match=r"needs code of its own, own\.Module, which is not run; --trust-remote-code"):
        load_text_tower(str(folder))
    assert not ran.exists()


def test_a_kernel_of_the_hub_is_code_too(tiny, tmp_path) -> None:
    config = json.loads((tiny("vit") / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "attn_implementation": "someone/kernel"}))
    with pytest.raises(InputError, match=r"config\.json names the code someone/kernel, which is not run"):
        load_vision_tower(str(tmp_path))


def test_pickles_are_not_read(tiny, tmp_path) -> None:
    (tmp_path / "config.json").write_bytes((tiny("vit") / "config.json").read_bytes())
    state = load_file(tiny("vit") / "model.safetensors")
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin is a pickle, which may run code; convert it: torch"):
        load_vision_tower(str(tmp_path))
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read where there are safetensors")
    assert torch.equal(load_transformers(str(tmp_path)).state_dict()[next(iter(state))], state[next(iter(state))])


def test_a_pickle_in_a_module_of_sentence_transformers_is_not_read(tmp_path) -> None:
    folder = write_sentence_model(tmp_path, dense=True)
    (dense,) = folder.glob("*_Dense")
    torch.save(load_file(dense / "model.safetensors"), dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"2_Dense/pytorch_model\.bin is a pickle"):
        load_text_tower(str(folder))


def test_an_adapter_names_its_base_elsewhere_and_is_refused(tiny, tmp_path) -> None:
    (tmp_path / "config.json").write_bytes((tiny("vit") / "config.json").read_bytes())
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/tmp/evil"}))
    with pytest.raises(InputError, match=r"adapter_config\.json says it is an adapter; merge it into its base model"):
        load_vision_tower(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"num_hidden_layers": 10**8}, "config.json sets num_hidden_layers to 1e+08; mmts takes 0 to 2,000"),
        ({"num_labels": 10**9}, "config.json sets num_labels to 1e+09; mmts takes 0 to 1,000,000"),
        ({"hidden_size": 2_000_000}, "parameters, which take "),
        ({"image_size": 8192}, "takes images of 8.19e+03 pixels a side; mmts takes 1 to 4,096"),
    ],
)
def test_models_of_absurd_size_are_refused_before_they_are_built(tiny, tmp_path, change, says) -> None:
    config = json.loads((tiny("vit") / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(InputError) as error:
        load_vision_tower(str(tmp_path))
    assert says in str(error.value)


def loading_calls(path: Path) -> set[str]:
    """The calls in a file that load a model, a tokenizer or a pickle."""
    names = {"from_pretrained", "from_config", "cached_file", "snapshot_download", "hf_hub_download", "Transformer"}
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        whole = name.endswith("SentenceTransformer") and "modules" not in {keyword.arg for keyword in node.keywords}
        if name.split(".")[-1] in names or whole or name in ("torch.load", "pickle.load", "pickle.loads"):
            found.add(name)
    return found


def test_one_place_loads_models() -> None:
    root = Path(pipelines.__file__).parent
    found = {path.relative_to(root).as_posix(): loading_calls(path) for path in root.rglob("*.py")}
    assert {path for path, calls in found.items() if calls} == {"models/loading.py"}
    assert {"AutoTokenizer.from_pretrained", "SentenceTransformer", "Transformer"} <= found["models/loading.py"]
    assert os.environ["HF_HUB_OFFLINE"] == "1"
