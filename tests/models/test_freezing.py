"""Freezing by name, and of what nothing flows through."""

import pytest
import torch
from transformers import Dinov2Config

from pipelines.errors import InputError
from pipelines.models import DualEncoder, build_model, freeze
from pipelines.models.freezing import freeze_unused, is_frozen
from pipelines.models.vision import load_vision_tower

PIXELS = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def training(model) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def build(tiny, media: str, text: str, **options) -> DualEncoder:
    return build_model(str(tiny(media)), str(tiny(text)), dimension=4, **options)


def test_patterns_fit_parameters_and_modules(tiny) -> None:
    whole = training(build(tiny, "clip", "bert"))
    patterns = ["media_tower.*.layers.0.*", "media_tower.model.vision_model.embeddings", "text_head.bias"]
    frozen = whole - training(build(tiny, "clip", "bert", freeze_patterns=patterns))
    prefix = "media_tower.model.vision_model."
    expected = {name for name in whole if name.startswith((f"{prefix}encoder.layers.0.", f"{prefix}embeddings."))}
    assert frozen == {*expected, "text_head.bias"}
    assert len(expected) == 3 + 16


def test_a_pattern_that_fits_nothing_names_the_nearest(tiny) -> None:
    model = build(tiny, "vit", "bert")
    with pytest.raises(InputError) as error:
        freeze(model, ["text_head", "media_towr.*"])
    assert str(error.value).startswith("--freeze media_towr.*: no parameter has such a name; the nearest modules are ")
    assert "media_tower" in str(error.value)


def test_frozen_modules_run_as_in_evaluation(tiny) -> None:
    model = build(tiny, "resnet", "bert", freeze_patterns=["media_tower.*.stages.0", "text_tower.*.layer.0.*"])
    stages = model.media_tower.model.encoder.stages
    layers = model.text_tower.transformer.encoder.layer
    assert {module.training for module in stages[0].modules()} == {False}
    assert {module.training for module in layers[0].modules()} == {False}
    assert {module.training for module in [*stages[1].modules(), *layers[1].modules()]} == {True}
    statistics = [each.clone() for each in (*stages[0].buffers(), *stages[1].buffers())]
    model.embed_media(PIXELS)
    moved = [
        not torch.equal(a, b) for a, b in zip(statistics, [*stages[0].buffers(), *stages[1].buffers()], strict=True)
    ]
    count = len(list(stages[0].buffers()))
    assert (any(moved[:count]), all(moved[count:])) == (False, True)
    model.eval()
    assert not any(module.training for module in model.modules())


def test_dropout_is_off_in_a_frozen_tower(tiny) -> None:
    model = build(tiny, "vit", "bert")
    tokens = model.text_tower.tokenize(["a dog runs"])
    assert not torch.equal(model.text_tower(tokens), model.text_tower(tokens))
    freeze(model, ["text_tower"])
    model.train()
    assert torch.equal(model.text_tower(tokens), model.text_tower(tokens))


@pytest.mark.parametrize("side", ["media", "text"])
def test_a_frozen_tower_keeps_no_graph_and_its_head_trains(tiny, side) -> None:
    model = build(tiny, "vit", "bert", freeze_patterns=[f"{side}_tower.*"])
    seen = []
    tower = model.get_submodule(f"{side}_tower")
    tower.register_forward_hook(lambda module, inputs, output: seen.append(output))
    inputs = PIXELS if side == "media" else model.text_tower.tokenize(["a dog"])
    embedded = model.embed_media(inputs) if side == "media" else model.embed_text(inputs)
    embedded.sum().backward()
    assert seen[0].grad_fn is None
    assert model.get_submodule(f"{side}_head").weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in tower.parameters())


def test_what_nothing_flows_through_is_frozen(tmp_path) -> None:
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    Dinov2Config(**size).save_pretrained(tmp_path)
    tower = load_vision_tower(str(tmp_path))
    before, whole = {name: value.clone() for name, value in tower.state_dict().items()}, training(tower)
    freeze_unused(tower)
    assert whole - training(tower) == {"model.embeddings.mask_token"}
    assert tower.training
    assert all(parameter.grad is None for parameter in tower.parameters())
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())


@pytest.mark.parametrize("name", ["resnet", "clip", "siglip"])
def test_what_is_used_is_left_to_train(tiny, name) -> None:
    tower = load_vision_tower(str(tiny(name)))
    before, whole = {key: value.clone() for key, value in tower.state_dict().items()}, training(tower)
    freeze_unused(tower)
    assert training(tower) == whole
    assert all(torch.equal(value, before[key]) for key, value in tower.state_dict().items())


def test_every_parameter_that_trains_gets_a_gradient(tiny) -> None:
    for media, text in (("clip", "clip"), ("siglip", "siglip"), ("resnet", "bert")):
        model = build(tiny, media, text)
        tokens = model.text_tower.tokenize(["a dog runs", "two cats"])
        sum(embedded.sum() for embedded in model(PIXELS[:2], tokens)).backward()
        missing = {name for name in training(model) if model.get_parameter(name).grad is None}
        assert missing == set()


def test_frozen_by_hand() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    assert not is_frozen(module)
    module[0].weight.requires_grad_(False)
    assert not is_frozen(module)
    module[0].bias.requires_grad_(False)
    assert is_frozen(module)
    assert not is_frozen(module[1])
