"""``mmts models import``: what it reads, what it writes and says."""

import argparse
import json
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_avion import PATCH, avion_state
from tiny_models import write_clip

from import_model.checkpoints import (
    clip_state,
    lavila_state,
    save,
    scripted,
)
from pipelines.models import load_vision_tower

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # OpenAI's archives are its


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


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"dataset": "ek100_mir", "pretrain_model": "best.pt"}, "fine-tuned on ek100_mir already"),
        ({"dataset": "ek100_mir"}, "fine-tuned on ek100_mir already"),
        ({"pretrain_model": "best.pt"}, "fine-tuned already"),
        ({"dataset": "kitchen," * 9, "finetune": "best.pt"}, f"fine-tuned on {'kitchen,' * 5} already"),
    ],
)
def test_a_checkpoint_that_was_fine_tuned_is_told_apart(tmp_path, line, mmts, kept, said) -> None:
    save(tmp_path, {"state_dict": avion_state(4), "args": argparse.Namespace(**kept)})
    ran = mmts(*line("avion"))
    rest = "; start from a pretrained checkpoint to reproduce published results\n"
    assert (ran.code, ran.err) == (0, f"warning: {tmp_path / 'weights.pt'}: was {said}{rest}")


def test_pretraining_is_not_taken_for_fine_tuning(tmp_path, line, mmts) -> None:
    kept = {"dataset": "ego4d", "pretrain_zoo": "open_clip", "pretrain_path": "vit.pt", "pretrain_model": ""}
    save(tmp_path, {"state_dict": avion_state(4), "args": argparse.Namespace(**kept)})
    ran = mmts(*line("avion"))
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("arguments", ["hello", [1, 2], 3, {"norm_style": "openai"}])
def test_arguments_of_any_kind_and_harmless_values_beside_the_weights(tmp_path, line, mmts, arguments) -> None:
    others = {"path": PurePosixPath("runs/1"), "from": tmp_path, "scores": np.ones(3), "rows": np.arange(3)}
    save(tmp_path, {"state_dict": avion_state(4), "args": arguments, "others": others})
    ran = mmts(*line("avion"))
    assert (ran.code, ran.err) == (0, "")


def test_safetensors_and_the_tokenizer_of_a_folder(tmp_path, line, mmts) -> None:
    state = {name: value.contiguous() for name, value in clip_state().items()}
    save_file(state, tmp_path / "weights.safetensors")
    tokenizer = write_clip(tmp_path / "clip")
    arguments = line("open_clip", "--activation", "gelu", "--tokenizer", tokenizer, checkpoint="weights.safetensors")
    ran = mmts(*arguments)
    assert ran.code == 0, ran.err
    written = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert written["model_max_length"] == 9


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
