"""Imported checkpoints give the vectors of their own models, which are written out in `reference`."""

from functools import partial

import pytest
import torch
from small_avion import IMAGE, PATCH, SPACE, avion_state, write_vocabulary
from transformers import AutoModel

from import_model.checkpoints import clip_state, lavila_state
from import_model.reference import (
    clip_text,
    clip_vision,
    gelu,
    lavila_vision,
    over_space,
    over_time,
    quick_gelu,
)
from pipelines.import_model import import_model
from pipelines.models import load_text_tower, load_vision_tower

TEXTS = [[5, 17, 3, 599], [80, 599, 4, 2]]  # the highest id ends a text; what comes behind it is padding
TOLERANCE = {"atol": 1e-5, "rtol": 0}


def clips(frames: int, image_size: int = IMAGE) -> torch.Tensor:
    return torch.randn(2, frames, 3, image_size, image_size, generator=torch.Generator().manual_seed(4))


def doubled(state):
    return {name: value.double() for name, value in state.items()}


def imported(tmp_path, checkpoint: object, origin: str, **options):
    torch.save(checkpoint, tmp_path / "weights.pt")
    options["tokenizer"] = str(write_vocabulary(tmp_path))
    import_model(tmp_path / "weights.pt", tmp_path / "model", origin=origin, **options)
    return AutoModel.from_pretrained(tmp_path / "model").eval()


def assert_same(found: torch.Tensor, expected: list[torch.Tensor]) -> None:
    expected_nd = torch.stack(expected)
    assert found.shape == (2, SPACE)
    torch.testing.assert_close(found.double(), expected_nd, **TOLERANCE)
    assert (expected_nd[0] - expected_nd[1]).abs().max() > 0.01  # else any vectors would do


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("stored", "wanted"), [(4, 4), (16, 16), (4, 16)])
@torch.no_grad()
def test_avion(tmp_path, stored, wanted, fast) -> None:
    state = avion_state(stored, fast=fast)
    model = imported(tmp_path, {"state_dict": state}, "avion", frames=None if stored == wanted else wanted)
    state = doubled(state)
    state["visual.temporal_embedding"] = over_time(state["visual.temporal_embedding"], wanted)
    vision = partial(clip_vision, state, eps=1e-6, activation=gelu, projection="visual.image_projection")
    seen = clips(wanted)
    assert_same(model.get_video_features(seen).pooler_output, [vision(clip) for clip in seen.double()])
    text = [clip_text(state, ids, "textual.", gelu) for ids in TEXTS]
    assert_same(model.get_text_features(torch.tensor(TEXTS)).pooler_output, text)
    assert model.logit_scale.item() == 3.0


@pytest.mark.parametrize(("stored", "wanted"), [(4, 4), (16, 16), (4, 16)])
@torch.no_grad()
def test_lavila(tmp_path, stored, wanted) -> None:
    state = lavila_state(stored)
    model = imported(tmp_path, {"state_dict": state}, "lavila", frames=None if stored == wanted else wanted)
    state = doubled(state)
    state["visual.temporal_embed"] = over_time(state["visual.temporal_embed"][0], wanted)[None]
    seen = clips(wanted)
    assert_same(model.get_video_features(seen).pooler_output, [lavila_vision(state, clip) for clip in seen.double()])
    text = [clip_text(state, ids, "", quick_gelu) for ids in TEXTS]
    assert_same(model.get_text_features(torch.tensor(TEXTS)).pooler_output, text)


@pytest.mark.parametrize(
    ("origin", "activation", "image_size"),
    [
        ("openai-clip", None, None),
        ("open_clip", "gelu", None),
        ("open_clip", "quick-gelu", None),
        ("open_clip", "gelu", 4 * PATCH),
        ("open_clip", "gelu", PATCH),
    ],
)
@torch.no_grad()
def test_clip(tmp_path, origin, activation, image_size) -> None:
    state = clip_state()
    model = imported(tmp_path, state, origin, activation=activation, image_size=image_size)
    state = doubled(state)
    side = (image_size or IMAGE) // PATCH
    state["visual.positional_embedding"] = over_space(state["visual.positional_embedding"], side)
    function = gelu if activation == "gelu" else quick_gelu
    vision = partial(clip_vision, state, eps=1e-5, activation=function, projection="visual.proj")
    images = clips(1, side * PATCH)
    found = model.get_image_features(images[:, 0]).pooler_output
    assert_same(found, [vision(image) for image in images.double()])
    text = [clip_text(state, ids, "", function) for ids in TEXTS]
    assert_same(model.get_text_features(torch.tensor(TEXTS)).pooler_output, text)
    assert model.logit_scale.item() == 3.0


@torch.no_grad()
def test_a_larger_image_of_a_video_model(tmp_path) -> None:
    state = avion_state(4)
    model = imported(tmp_path, {"state_dict": state}, "avion", image_size=3 * PATCH)
    state = doubled(state)
    state["visual.positional_embedding"] = over_space(state["visual.positional_embedding"], 3)
    vision = partial(clip_vision, state, eps=1e-6, activation=gelu, projection="visual.image_projection")
    seen = clips(4, 3 * PATCH)
    assert_same(model.get_video_features(seen).pooler_output, [vision(clip) for clip in seen.double()])


@torch.no_grad()
def test_half_precision_and_prefixes(tmp_path) -> None:
    state = {f"module.{name}": value.half() for name, value in avion_state(4).items()}
    model = imported(tmp_path, {"state_dict": state}, "avion")
    plain = {name.removeprefix("module."): value.double() for name, value in state.items()}
    vision = partial(clip_vision, plain, eps=1e-6, activation=gelu, projection="visual.image_projection")
    seen = clips(4)
    assert_same(model.get_video_features(seen).pooler_output, [vision(clip) for clip in seen.double()])


@torch.no_grad()
def test_towers_of_the_folder_give_the_same(tmp_path) -> None:
    model = imported(tmp_path, {"state_dict": avion_state(4)}, "avion")
    folder = str(tmp_path / "model")
    media, text = load_vision_tower(folder).eval(), load_text_tower(folder).eval()
    pixels = torch.rand(2, 4, 3, IMAGE, IMAGE, generator=torch.Generator().manual_seed(5))
    mean = torch.tensor([108.3272985, 116.7460125, 104.09373615]).reshape(3, 1, 1) / 255
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).reshape(3, 1, 1)
    expected = model.get_video_features((pixels - mean) / std).pooler_output
    torch.testing.assert_close(media(pixels), expected, **TOLERANCE)
    tokens = text.tokenize(["the dog"])
    letters = [chr(each) for each in range(33, 127)]  # CLIP's bytes begin with these, then those of Latin 1
    the, dog = 512 + 1, 512 + 3
    assert tokens["input_ids"].tolist() == [[516, the, dog, 517]]
    assert letters.index("!") == text.tokenizer.tokenizer.pad_token_id == 0
    torch.testing.assert_close(
        text(tokens), model.get_text_features(torch.tensor([[516, the, dog, 517]])).pooler_output, **TOLERANCE
    )
