"""``mmts models import``: what it reads, what it writes and says, and what it refuses."""

import argparse
import json
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_models import write_clip
from torch import nn

from import_model.checkpoints import IMAGE, PATCH, avion_state, clip_state, lavila_state, write_vocabulary
from pipelines.models import load_vision_tower

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # OpenAI's archives are its


@pytest.fixture
def line(tmp_path):
    """A command line that imports ``weights.pt``, with CLIP's vocabulary."""
    vocabulary = write_vocabulary(tmp_path)

    def words(origin: str, *more: object, checkpoint: str = "weights.pt") -> list[object]:
        given = ["models", "import", tmp_path / checkpoint, "--from", origin, "-o", tmp_path / "model"]
        return [*given, *(() if "--tokenizer" in more else ("--tokenizer", vocabulary)), *more]

    return words


def save(tmp_path, checkpoint: object) -> None:
    torch.save(checkpoint, tmp_path / "weights.pt")


def test_what_it_writes_and_then_has_nothing_to_do(tmp_path, line, mmts) -> None:
    save(tmp_path, {"state_dict": avion_state(4), "epoch": 3})
    ran = mmts(*line("avion"))
    assert (ran.code, ran.err) == (0, "")
    count = sum(value.numel() for value in avion_state(4).values())
    assert ran.out == (
        f"{tmp_path / 'model'}: written\n"
        f"SpaceTimeClipModel, {count:,} parameters: 4 frames of 8 x 8 pixels and 9 tokens into 6 dimensions\n"
    )
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    code = ["mmts_models_import.json", "model.safetensors", "modeling_space_time.py"]
    assert names == ["config.json", *code, "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"]
    record = json.loads((tmp_path / "model" / "mmts_models_import.json").read_text())
    assert record["inputs"]["checkpoint"]["name"] == "weights.pt"
    assert str(tmp_path) not in json.dumps(record)
    assert mmts(*line("avion")).out.startswith(f"{tmp_path / 'model'}: up to date\n")
    again = json.loads(mmts(*line("avion", "--frames", 8, "--json")).out)
    assert again == {
        "command": "models import",
        "output": str(tmp_path / "model"),
        "up_to_date": False,
        "from": "avion",
        "class": "SpaceTimeClipModel",
        "parameters": count + 4 * 128,
        "dimension": 6,
        "image_size": 8,
        "frames": 8,
        "tokens": 9,
    }
    assert load_vision_tower(str(tmp_path / "model")).frames == 8
    (tmp_path / "model" / "config.json").write_text("{}")  # damaged: made again
    assert mmts(*line("avion", "--frames", 8)).out.startswith(f"{tmp_path / 'model'}: written")


def test_a_folder_of_others_is_kept(tmp_path, line, mmts, refused) -> None:
    save(tmp_path, avion_state(4))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    assert "holds files that `mmts models import` did not write; use --force" in refused(*line("avion"))
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
    assert mmts(*line("avion", "--force")).code == 0
    inside = [*line("avion", "--force")]
    inside[6] = tmp_path
    assert "give -o a folder of its own" in refused(*inside)
    assert (tmp_path / "weights.pt").is_file()


# Pixels from 0 to 255, as AVION's and LaViLa's code has them.
OPENAI = ([108.3272985, 116.7460125, 104.09373615], [68.5005327, 66.6321579, 70.32316305])
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
OPENAI_LAVILA, OTHER_LAVILA = {"model": "CLIP_OPENAI_TIMESFORMER_BASE"}, {"model": "CLIP_TIMESFORMER_BASE"}


@pytest.mark.parametrize(
    ("origin", "kept", "flags", "statistics"),
    [
        ("avion", {"norm_style": "timm"}, (), IMAGENET),
        ("avion", {"norm_style": "openai"}, (), OPENAI),
        ("avion", {"model": "CLIP_VITB16"}, (), OPENAI),
        ("avion", None, (), OPENAI),
        ("avion", None, ("--norm-style", "timm"), IMAGENET),
        ("lavila", OPENAI_LAVILA, (), OPENAI),
        ("lavila", OTHER_LAVILA, (), IMAGENET),
        ("lavila", None, (), OPENAI),
        ("lavila", OPENAI_LAVILA, ("--norm-style", "timm"), IMAGENET),
    ],
)
def test_pixel_statistics_of_video_models(tmp_path, line, mmts, origin, kept, flags, statistics) -> None:
    state = avion_state(4) if origin == "avion" else lavila_state(4)
    best = {"best_acc1": np.float64(53.9), "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}
    arguments = {} if kept is None else {"args": argparse.Namespace(**kept)}
    save(tmp_path, {"state_dict": state, **arguments, **best})
    assert mmts(*line(origin, *flags)).code == 0
    processor = json.loads((tmp_path / "model" / "preprocessor_config.json").read_text())
    assert [255 * each for each in processor["image_mean"]] == pytest.approx(statistics[0], rel=1e-6)
    assert [255 * each for each in processor["image_std"]] == pytest.approx(statistics[1], rel=1e-6)
    assert processor["crop_size"] == {"height": 8, "width": 8}


def test_safetensors_and_the_tokenizer_of_a_folder(tmp_path, line, mmts) -> None:
    state = {name: value.contiguous() for name, value in clip_state().items()}
    save_file(state, tmp_path / "weights.safetensors")
    tokenizer = write_clip(tmp_path / "clip")
    arguments = line("open_clip", "--activation", "gelu", "--tokenizer", tokenizer, checkpoint="weights.safetensors")
    ran = mmts(*arguments)
    assert ran.code == 0, ran.err
    written = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert written["model_max_length"] == 9


class Holder(nn.Module):
    """A module that only holds others, and tensors."""

    def forward(self) -> int:
        return 0


def scripted(state) -> torch.jit.ScriptModule:
    """The archive of a model with these weights, as OpenAI publishes its own."""
    root = Holder()
    for name, value in state.items():
        *path, last = name.split(".")
        module = root
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, Holder())
            module = getattr(module, part)
        module.register_parameter(last, nn.Parameter(value))
    for name, value in (("input_resolution", IMAGE), ("context_length", 9), ("vocab_size", 600)):
        root.register_buffer(name, torch.tensor(value))
    block: Any = root.get_submodule("transformer.resblocks.0")
    block.attn_mask = torch.zeros(9, 9)
    block.sizes = [1, 2, 3]
    return torch.jit.script(root)


def test_a_torchscript_archive_is_read_as_the_plain_weights(tmp_path, line, mmts) -> None:
    state = {name: value.half() for name, value in clip_state().items()}
    save(tmp_path, state)
    assert mmts(*line("openai-clip")).code == 0
    expected = (tmp_path / "model" / "model.safetensors").read_bytes()
    torch.jit.save(scripted(state), tmp_path / "weights.pt")
    assert mmts(*line("openai-clip")).out.startswith(f"{tmp_path / 'model'}: written")
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == expected


def test_open_clip_s_configuration_is_honoured(tmp_path, line, mmts, refused) -> None:
    save(tmp_path, clip_state())
    vision = {"image_size": 8, "layers": 2, "width": 128, "patch_size": PATCH, "head_width": 32}
    text = {"context_length": 9, "vocab_size": 600, "width": 128, "heads": 1, "layers": 2}
    described = {"model_cfg": {"embed_dim": 6, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}}
    described["preprocess_cfg"] = {"mean": [0.5, 0.25, 0.75], "std": [0.5, 0.5, 0.5]}
    config = tmp_path / "open_clip_config.json"
    config.write_text(json.dumps(described))
    assert mmts(*line("open_clip")).code == 0
    written = json.loads((tmp_path / "model" / "config.json").read_text())
    assert written["vision_config"]["num_attention_heads"] == 4
    assert written["text_config"]["num_attention_heads"] == 1
    assert written["vision_config"]["hidden_act"] == written["text_config"]["hidden_act"] == "quick_gelu"
    processor = json.loads((tmp_path / "model" / "preprocessor_config.json").read_text())
    assert processor["image_mean"] == [0.5, 0.25, 0.75]
    assert "open_clip_config.json, beside the weights, says which" in refused(
        *line("open_clip", "--activation", "gelu")
    )
    vision["timm_model_name"] = "vit_base"
    config.write_text(json.dumps(described))
    assert "vision_cfg has timm_model_name, which transformers' CLIP has not" in refused(*line("open_clip"))


def without(state, *names: str):
    return {name: value for name, value in state.items() if name not in names}


LAST = "visual.transformer.resblocks.1.mlp.c_proj.bias"
REFUSED = {
    "a weight is missing": ("avion", without(avion_state(4), LAST), f"has no {LAST}, which a checkpoint of this kind"),
    "one more": ("avion", {**avion_state(4), "visual.head": torch.zeros(1)}, "also has visual.head, which a model of"),
    "two more": (
        "lavila",
        {**lavila_state(4), "textual.a": torch.zeros(1), "textual.b": torch.zeros(1)},
        "also has textual.a and 1 more, which a model of this kind has no place for",
    ),
    "of AVION": ("lavila", avion_state(4), "has weights as avion names them; give --from avion"),
    "of LaViLa": ("avion", lavila_state(4), "has weights as lavila names them; give --from lavila"),
    "of OpenAI": ("avion", clip_state(), "has weights as openai-clip or open_clip names them; give --from openai-clip"),
    "of nobody": ("avion", {"weight": torch.zeros(3)}, "has no visual."),
    "a ResNet": (
        "openai-clip",
        {**clip_state(), "visual.layer1.0.conv1.weight": torch.zeros(1)},
        "has a ResNet for a vision side, of which transformers has no class; take a ViT",
    ),
    "no weights": (
        "avion",
        {"state_dict": {"epoch": 3}},
        "holds no weights, neither by itself nor as state_dict, model",
    ),
    "another shape": (
        "avion",
        {**avion_state(4), "visual.ln_post.bias": torch.zeros(3)},
        "not a checkpoint of avion that loads (",
    ),
    "another norm style": (
        "avion",
        {"state_dict": avion_state(4), "args": argparse.Namespace(norm_style=["timm"])},
        "was trained with norm_style ['timm'], which AVION's code lacks; give --norm-style",
    ),
    "no square": (
        "avion",
        {**avion_state(4), "visual.positional_embedding": torch.zeros(7, 128)},
        "has 6 position embeddings of patches, which make no square",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_of_another_kind_are_refused(tmp_path, line, refused, case) -> None:
    origin, state, says = REFUSED[case]
    save(tmp_path, state)
    message = refused(*line(origin))
    assert message.startswith(f"{tmp_path / 'weights.pt'}: ")
    assert says in message
    assert len(message) < 200 + len(str(tmp_path))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("origin", "flags", "says"),
    [
        ("open_clip", (), "open_clip's weights don't tell their activation, and no open_clip_config.json is beside"),
        ("avion", ("--activation", "gelu"), "--activation: that of avion is known; leave it out"),
        ("openai-clip", ("--frames", 8), "--frames: models of openai-clip see one image at a time; leave it out"),
        ("openai-clip", ("--norm-style", "timm"), "--norm-style: pixel statistics of openai-clip are known; leave it"),
        ("openai-clip", ("--image-size", 9), "--image-size 9: patches have 4 pixels a side; give a multiple of that"),
        ("openai-clip", ("--tokenizer", "nowhere/model"), "--tokenizer nowhere/model: no such folder, and it can't be"),
        ("clip", (), "'clip' is not one of"),
    ],
)
def test_flags_that_do_not_fit_are_refused(tmp_path, line, refused, origin, flags, says) -> None:
    save(tmp_path, clip_state())
    assert says in refused(*line(origin, *flags))


def test_without_a_tokenizer_it_says_where_one_is(tmp_path, line, refused) -> None:
    save(tmp_path, clip_state())
    words = line("openai-clip")
    message = refused(*(word for word in words if word not in ("--tokenizer", tmp_path / words[-1])))
    assert message == (
        "CLIP's tokenizer is neither here nor can it be downloaded; give --tokenizer bpe_simple_vocab_16e6.txt.gz, of "
        "CLIP's or AVION's code, or the folder of a CLIP"
    )


def test_other_tokenizers_are_refused(tmp_path, line, refused) -> None:
    save(tmp_path, clip_state())
    (tmp_path / "words.txt").write_text("version\none\ntwo\n")
    assert "is not CLIP's bpe_simple_vocab_16e6.txt.gz" in refused(
        *line("openai-clip", "--tokenizer", tmp_path / "words.txt")
    )
    (tmp_path / "broken.txt.gz").write_bytes(b"\x1f\x8b broken")
    assert "not a tokenizer that loads" in refused(*line("openai-clip", "--tokenizer", tmp_path / "broken.txt.gz"))
    save(tmp_path, {**clip_state(), "token_embedding.weight": torch.zeros(517, 128)})
    assert "weights.pt: knows 517 tokens, but the tokenizer has 518; give that of" in refused(*line("openai-clip"))


class Code:
    """What runs as it is unpickled."""

    def __reduce__(self):
        return (open, ("ran", "w"))


def test_nothing_in_a_checkpoint_runs(tmp_path, line, refused, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path, {"state_dict": avion_state(4), "args": Code()})
    message = refused(*line("avion"))
    assert "needs code of its own to be read, which is not run; save the weights alone" in message
    archive = tmp_path / "scripted.pt"
    torch.jit.save(scripted(clip_state()), archive)
    rewrite(archive, "data.pkl", b"cposix\nsystem\n(S'touch ran'\ntR.")
    message = refused(*line("openai-clip", checkpoint="scripted.pt"))
    assert "needs code of its own to be read, which is not run" in message
    assert not (tmp_path / "ran").exists()


def rewrite(archive, name: str, content: bytes) -> None:
    """Replace one member of a zip."""
    import zipfile

    with zipfile.ZipFile(archive) as old:
        members = {each: old.read(each) for each in old.namelist()}
    with zipfile.ZipFile(archive, "w") as new:
        for each, was in members.items():
            new.writestr(each, content if each.endswith(f"/{name}") else was)


def test_damaged_and_missing_files(tmp_path, line, refused) -> None:
    assert "weights.pt: no such file" in refused(*line("avion"))
    (tmp_path / "weights.pt").mkdir()
    assert "weights.pt: is a folder; give the file with the weights" in refused(*line("avion"))
    shutil.rmtree(tmp_path / "weights.pt")
    save(tmp_path, avion_state(4))
    whole = (tmp_path / "weights.pt").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"nothing of the kind", whole[:-30] + b"\0" * 30):
        (tmp_path / "weights.pt").write_bytes(damaged)
        message = refused(*line("avion"))
        assert "weights.pt: is damaged, or no checkpoint of torch; download it again" in message, message
    (tmp_path / "weights.safetensors").write_bytes(whole)
    assert "not a checkpoint of avion that loads" in refused(*line("avion", checkpoint="weights.safetensors"))
