"""Video towers: models of transformers over all frames of a clip, and what they become with another number of them."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_videos import DUAL, FRAMES, KINDS, make_video
from torch.nn.functional import linear
from transformers import AutoModel, TimesformerModel, VideoMAEModel, VivitModel, XCLIPModel

from pipelines.errors import InputError
from pipelines.models import LoraSettings, build_model, load_model, load_text_tower, load_vision_tower, save_model
from pipelines.models.frames import with_frames
from pipelines.models.processors import framing, normalisation, read_processor
from pipelines.train.parameters import parameter_groups

CLIPS = torch.rand(2, FRAMES, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LONGER = torch.rand(2, 2 * FRAMES, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a tiny video model, made once."""
    made = {}

    def of(kind: str):
        if kind not in made:
            made[kind] = make_video(tmp_path_factory.mktemp(kind), kind)
        return made[kind]

    return of


def by_transformers(folder, kind: str, clips: torch.Tensor) -> torch.Tensor:
    """What transformers alone makes of normalised clips."""
    model = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        if kind in DUAL:
            return model.get_video_features(clips).pooler_output.flatten(1)
        if kind == "vjepa2":
            return model.get_vision_features(clips).mean(dim=1)
        output = model(clips)
    if kind == "timesformer":
        return output.last_hidden_state[:, 0]
    return output.last_hidden_state.mean(dim=1) if kind == "videomae" else output.pooler_output


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_gives_the_model_s_vectors_also_from_where_it_is_saved(folder, tmp_path, kind) -> None:
    tower = load_vision_tower(str(folder(kind))).eval()
    assert (tower.frames, tower.image_size) == (FRAMES, 16)
    found = tower(CLIPS)
    assert found.shape == (2, tower.dimension)
    assert torch.allclose(found, by_transformers(folder(kind), kind, (CLIPS - 0.5) / 0.5), atol=1e-6)
    assert found.std(dim=0).min() > 1e-5
    tower.save(tmp_path)
    assert torch.equal(load_vision_tower(str(tmp_path)).eval()(CLIPS), found)


@pytest.mark.parametrize("kind", KINDS)
def test_with_another_number_of_frames_a_tower_is_saved_and_loaded_alike(folder, tmp_path, kind) -> None:
    tower = load_vision_tower(str(folder(kind))).eval()
    tower.take_frames(2 * FRAMES)
    found = tower(LONGER)
    tower.save(tmp_path)
    again = load_vision_tower(str(tmp_path)).eval()
    assert again.frames == 2 * FRAMES
    assert torch.equal(again(LONGER), found)
    tower.take_frames(2 * FRAMES)  # nothing to do
    assert torch.equal(tower(LONGER), found)


def interpolated(old: np.ndarray, new: int) -> np.ndarray:
    """Linear interpolation between the centres of equal parts of a clip, one value after another."""
    found = np.empty((new, *old.shape[1:]))
    for place in range(new):
        instant = min(max((place + 0.5) * len(old) / new - 0.5, 0), len(old) - 1)
        below = int(instant)
        above = min(below + 1, len(old) - 1)
        found[place] = old[below] + (instant - below) * (old[above] - old[below])
    return found


@pytest.mark.parametrize("frames", [2, 6, 16])
@pytest.mark.parametrize(
    ("kind", "name", "together"),
    [
        ("timesformer", "embeddings.time_embeddings", 1),
        ("vivit", "embeddings.position_embeddings", 2),
        ("videoprism", "vision_model.temporal_embeddings.position_embeddings", 1),
        ("xclip", "mit.position_embedding", 1),
        ("joint", "embeddings.temporal_embedding", 1),
    ],
)
def test_embeddings_of_time_are_interpolated(folder, kind, name, together, frames) -> None:
    tower = load_vision_tower(str(folder(kind)))
    old = tower.model.state_dict()[name][0].numpy().astype(np.float64)
    others = {key: value for key, value in tower.model.state_dict().items() if key != name}
    tower.take_frames(frames)
    state = tower.model.state_dict()
    before = 1 if kind == "vivit" else 0  # the class token has no time
    times = FRAMES // together
    grid = old[before:].reshape(times, -1, old.shape[-1])
    expected = interpolated(grid, frames // together).reshape(-1, old.shape[-1])
    found = state[name][0].numpy()
    np.testing.assert_allclose(found, np.concatenate([old[:before], expected]), atol=1e-6)
    assert all(torch.equal(state[key], value) for key, value in others.items())


def test_sinusoids_are_computed_for_the_new_positions(folder) -> None:
    tower = load_vision_tower(str(folder("videomae")))
    tower.take_frames(2 * FRAMES)
    found = tower.model.embeddings.position_embeddings[0]
    position, unit = FRAMES * 4 - 1, 5  # the last of 4 pairs of frames has 4 patches
    assert len(found) == position + 1
    assert found[position, unit].item() == pytest.approx(math.cos(position / 10_000 ** (4 / 16)), abs=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("vivit", "VivitModel"), ("videomae", "VideoMAEModel"), ("vjepa2", "VJ")])
def test_frames_that_make_no_whole_tubelets_are_refused(folder, kind, name) -> None:
    with pytest.raises(InputError, match=rf"--frames 5: {name}\w* takes 2 frames at a time; give a multiple of that"):
        build_model(str(folder(kind)), None, text_size=5, dimension=4, frames=5)


class Counted(TimesformerModel):
    """A video model with weights for each frame that are no embeddings of time."""

    def __init__(self, config) -> None:
        super().__init__(config)
        self.gates = torch.nn.Linear(config.num_frames, 2)


def test_what_is_learned_of_time_in_another_form_is_refused(folder) -> None:
    model = Counted(TimesformerModel.from_pretrained(folder("timesformer")).config)
    with pytest.raises(InputError, match=r"--frames 6: what Counted learned of time can't be interpolated; it takes 4"):
        with_frames(model, 6)


def test_vectors_of_frames_are_not_there_to_be_pooled(folder) -> None:
    with pytest.raises(InputError, match=r"--pooling: .* sees all frames of a clip at once; leave it out"):
        build_model(str(folder("vivit")), None, text_size=5, dimension=4, pooling="mean")


@pytest.mark.parametrize("kind", DUAL)
def test_the_text_side_of_a_video_model(folder, tmp_path, kind) -> None:
    tower = load_text_tower(str(folder(kind))).eval()
    tokens = tower.tokenize(["a dog runs", "door"])
    model = AutoModel.from_pretrained(folder(kind)).eval()
    known = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    expected = model.get_text_features(**known).pooler_output
    assert torch.allclose(tower(tokens), expected, atol=1e-6)
    tower.save(tmp_path)
    assert torch.equal(load_text_tower(str(tmp_path)).eval()(tokens), tower(tokens))


@pytest.mark.slow
def test_both_sides_of_one_model_keep_its_space(folder, tmp_path) -> None:
    for kind in DUAL:
        name = str(folder(kind))
        model = build_model(name, name, projection="none", frames=2 * FRAMES).eval()
        assert model.settings["frames"] == 2 * FRAMES
        media, text = model(LONGER, model.text_tower.tokenize(["a dog", "door"]))
        assert media.shape == text.shape
        save_model(model, tmp_path / kind)
        assert torch.equal(load_model(tmp_path / kind).embed_media(LONGER), media)


def build(folder, **options):
    torch.manual_seed(0)
    return build_model(str(folder), None, text_size=5, dimension=4, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_checkpointing_and_layer_rates(folder, tmp_path, kind) -> None:
    plain = build(folder(kind)).eval()
    rates = {group["lr_scale"] for group in parameter_groups(plain, lr=1.0, weight_decay=0.1, layer_decay=0.5)}
    assert {1.0, 0.5, 0.25, 0.125} <= rates
    adapted = build(folder(kind), lora=LoraSettings(rank=2)).eval()
    assert torch.allclose(adapted.embed_media(CLIPS), plain.embed_media(CLIPS), atol=1e-6)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    expected = adapted.embed_media(CLIPS)
    assert not torch.allclose(expected, plain.embed_media(CLIPS), atol=1e-3)
    save_model(adapted, tmp_path)
    assert torch.allclose(load_model(tmp_path).embed_media(CLIPS), expected, atol=1e-6)
    saving = build(folder(kind), gradient_checkpointing=True)
    assert any(getattr(module, "gradient_checkpointing", False) for module in saving.modules())
    gradients = []
    for model in (saving, plain.train()):
        torch.manual_seed(1)
        model.embed_media(CLIPS).square().sum().backward()
        gradients.append({name: each.grad for name, each in model.named_parameters() if each.grad is not None})
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-6) for name in gradients[1])


def test_stacks_of_layers_follow_each_other(folder) -> None:
    model = build(folder("videoprism"))
    groups = parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=0.5)
    scale = {id(each): group["lr_scale"] for group in groups for each in group["params"]}
    found = {name: scale[id(each)] for name, each in model.named_parameters()}
    tower = "media_tower.model."
    stacks = ("vision_model.spatial_layers", "vision_model.temporal_layers", "auxiliary_layers")
    assert [found[f"{tower}{stack}.0.mlp.fc1.weight"] for stack in stacks] == [0.125, 0.25, 0.5]
    assert found[f"{tower}vision_model.spatial_embeddings.position_embeddings"] == 0.0625
    model = build(folder("vjepa2"))  # its predictor's layers train nothing, and come after none
    groups = parameter_groups(model, lr=1.0, weight_decay=0.1, layer_decay=0.5)
    scale = {id(each): group["lr_scale"] for group in groups for each in group["params"]}
    last = dict(model.named_parameters())[f"{tower}encoder.layer.1.mlp.fc1.weight"]
    assert scale[id(last)] == 0.5


def test_the_processor_of_a_video_model_is_honoured(folder, tmp_path) -> None:
    model = VivitModel.from_pretrained(folder("vivit")).eval()
    model.save_pretrained(tmp_path)
    settings = {"video_processor_type": "VivitVideoProcessor", "crop_size": {"height": 16, "width": 16}}
    settings |= {"rescale_factor": 1 / 127.5, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps(settings))
    mean, std = (torch.tensor(settings[name]).reshape(3, 1, 1) for name in ("image_mean", "image_std"))
    shown = (CLIPS * 255 / 127.5 - 1 - mean) / std
    assert torch.allclose(load_vision_tower(str(tmp_path)).eval()(CLIPS), model(shown).pooler_output, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0.5, 0.5)),
        ({"image_mean": [0.4] * 3, "image_std": [0.2] * 3, "rescale_factor": 1 / 255}, (0.4, 0.2)),
        ({"do_normalize": False}, (0.0, 1.0)),
        ({"do_rescale": False}, (0.5 / 255, 0.5 / 255)),
        ({"image_processor_type": "VivitImageProcessor", "rescale_factor": 2 / 255}, (0.75, 0.25)),
        ({"image_processor_type": "VivitImageProcessor", "rescale_factor": 2 / 255, "offset": False}, (0.25, 0.25)),
    ],
)
def test_what_a_processor_s_settings_amount_to(settings, expected) -> None:
    mean, std = normalisation(settings)
    assert mean == pytest.approx([expected[0]] * 3)
    assert std == pytest.approx([expected[1]] * 3)


def test_checkpoints_of_classifiers_load_as_the_towers_below_them(folder, tmp_path) -> None:
    from transformers import TimesformerForVideoClassification, VideoMAEForVideoClassification

    for kind, whole, inside in (
        ("timesformer", TimesformerForVideoClassification, TimesformerModel),
        ("videomae", VideoMAEForVideoClassification, VideoMAEModel),
    ):
        torch.manual_seed(3)
        classifier = whole(inside.from_pretrained(folder(kind)).config).eval()
        classifier.save_pretrained(tmp_path / kind)
        tower = load_vision_tower(str(tmp_path / kind)).eval()
        vectors = tower(CLIPS)
        if kind == "timesformer":
            logits = linear(vectors, classifier.classifier.weight, classifier.classifier.bias)
        else:
            logits = classifier.classifier(classifier.fc_norm(vectors))
        assert torch.allclose(logits, classifier((CLIPS - 0.5) / 0.5).logits, atol=1e-5)


def test_x_clip_by_itself_has_no_weights_of_texts(folder) -> None:
    whole = XCLIPModel.from_pretrained(folder("xclip"))
    tower = load_vision_tower(str(folder("xclip")))
    names = tower.model.state_dict().keys()
    assert names < whole.state_dict().keys()
    assert {name.split(".")[0] for name in names} == {"vision_model", "visual_projection", "mit"}


def test_processors_are_found_where_transformers_keeps_them(tmp_path) -> None:
    assert read_processor(tmp_path) == {}
    parts = {"image_processor": {"image_mean": [0.1] * 3}, "tokenizer": {}}
    (tmp_path / "processor_config.json").write_text(json.dumps(parts))
    assert read_processor(tmp_path) == {"image_mean": [0.1] * 3}
    parts["video_processor"] = {"image_mean": [0.2] * 3, "crop_size": 16}
    (tmp_path / "processor_config.json").write_text(json.dumps(parts))
    assert read_processor(tmp_path) == parts["video_processor"]
    assert framing(parts["video_processor"]) == (16, None)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 8, "width": 8}}))
    assert framing(read_processor(tmp_path)) == (8, 8)
    (tmp_path / "video_preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 24}}))
    assert framing(read_processor(tmp_path)) == (24, 24)
