"""``mmts models import``: what it refuses, and why."""

import argparse
import shutil
import zipfile

import pytest
import torch
from small_avion import avion_state

from import_model.checkpoints import (
    clip_state,
    lavila_state,
    save,
    scripted,
)

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # OpenAI's archives are its


def without(state, *names: str):
    return {name: value for name, value in state.items() if name not in names}


CLIP_NAMES = (
    "has weights as openai-clip and open_clip name them; give --from openai-clip (QuickGELU) or open_clip (mostly GELU)"
)
NAN = avion_state(4)["visual.ln_post.weight"] * torch.nan
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
    "a classifier": (
        "avion",
        {
            **{name: value for name, value in avion_state(4).items() if name.startswith("visual.")},
            "fc_cls.weight": torch.zeros(3, 128),
        },
        "has no text side: it classifies actions",
    ),
    "of OpenAI": ("avion", clip_state(), CLIP_NAMES),
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
        "visual.ln_post.bias is 3, but with the other weights it has to be 128",
    ),
    "another shape of a part": (
        "openai-clip",
        {**clip_state(), "transformer.resblocks.1.attn.in_proj_weight": torch.zeros(384, 64)},
        "transformer.resblocks.1.attn.in_proj_weight is 128 x 64, but with the other weights it has to be 128 x 128",
    ),
    "not finite": (
        "avion",
        {**avion_state(4), "visual.ln_post.weight": NAN},
        "visual.ln_post.weight holds values that are not finite: training diverged, or the file is damaged",
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
    (tmp_path / "merges.txt.gz").write_bytes(b"")
    message = refused(*line("openai-clip", "--tokenizer", tmp_path / "merge.txt.gz"))
    assert message == f"--tokenizer: {tmp_path / 'merge.txt.gz'}: no such file; did you mean 'merges.txt.gz'?"
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
    assert "needs io.open to be read, which is not run; save the weights alone" in message
    assert message.endswith("--norm-style then replaces what args says")
    archive = tmp_path / "scripted.pt"
    torch.jit.save(scripted(clip_state()), archive)
    rewrite(archive, "data.pkl", b"cposix\nsystem\n(S'touch ran'\ntR.")
    message = refused(*line("openai-clip", checkpoint="scripted.pt"))
    assert "needs code of its own to be read, which is not run" in message
    assert not (tmp_path / "ran").exists()


def rewrite(archive, name: str, content: bytes) -> None:
    """Replace one member of a zip."""

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
        assert "weights.pt: is damaged, or no checkpoint; download it again" in message, message
    rotten = bytearray(whole)
    rotten[len(whole) // 2] ^= 1  # of a weight: torch would read it
    (tmp_path / "weights.pt").write_bytes(bytes(rotten))
    assert "weights.pt: is damaged: the checksum of weights/data/" in refused(*line("avion"))
    (tmp_path / "weights.safetensors").write_bytes(whole)
    message = refused(*line("avion", checkpoint="weights.safetensors"))
    assert "weights.safetensors: is damaged, or no checkpoint; download it again" in message
