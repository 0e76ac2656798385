"""Parameter groups: weight decay and each layer's part of the learning rate, by hand."""

import pytest
import torch
from tiny_world import TOWERS, write_tower_config
from torch import nn

from pipelines.errors import InputError
from pipelines.models import build_model
from pipelines.models.vision import load_vision_tower
from pipelines.train.parameters import parameter_groups


class Toy(nn.Module):
    """A tower of two layers and a head, each parameter a matrix or a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.media_tower = nn.ModuleDict(
            {
                "embeddings": nn.Embedding(3, 2),
                "layers": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]),
                "norm": nn.LayerNorm(2),
            }
        )
        self.head = nn.Linear(2, 2)


def by_name(model: nn.Module, **options) -> dict[str, dict]:
    """The group of each parameter."""
    groups = parameter_groups(model, **{"lr": 1.0, "weight_decay": 0.3, **options})
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)]: group for group in groups for parameter in group["params"]}


def test_layers_below_take_less_of_the_rate() -> None:
    groups = by_name(Toy(), lr=0.5, layer_decay=0.5)
    found = {name: (group["lr_scale"], group["lr"], group["weight_decay"]) for name, group in groups.items()}
    assert found == {
        "media_tower.embeddings.weight": (0.125, 0.0625, 0.3),
        "media_tower.layers.0.weight": (0.25, 0.125, 0.3),
        "media_tower.layers.0.bias": (0.25, 0.125, 0.0),
        "media_tower.layers.1.weight": (0.5, 0.25, 0.3),
        "media_tower.layers.1.bias": (0.5, 0.25, 0.0),
        "media_tower.norm.weight": (1.0, 0.5, 0.0),
        "media_tower.norm.bias": (1.0, 0.5, 0.0),
        "head.weight": (1.0, 0.5, 0.3),
        "head.bias": (1.0, 0.5, 0.0),
    }


def test_groups_are_in_a_fixed_order() -> None:
    groups = parameter_groups(Toy(), lr=1.0, weight_decay=0.3, layer_decay=0.5)
    order = [(group["lr_scale"], group["weight_decay"]) for group in groups]
    assert order == [(1.0, 0.3), (1.0, 0.0), (0.5, 0.3), (0.5, 0.0), (0.25, 0.3), (0.25, 0.0), (0.125, 0.3)]


def test_without_layer_decay_there_are_matrices_and_the_rest() -> None:
    model = Toy()
    model.media_tower["layers"][0].weight.requires_grad_(False)
    groups = parameter_groups(model, lr=2.0, weight_decay=0.3)
    assert [(group["lr"], group["lr_scale"], group["weight_decay"]) for group in groups] == [(2, 1, 0.3), (2, 1, 0)]
    assert [len(group["params"]) for group in groups] == [3, 5]
    assert not any(model.media_tower["layers"][0].weight is each for group in groups for each in group["params"])


@pytest.mark.parametrize("name", TOWERS)
def test_layers_of_transformers_models_are_found(tmp_path, name) -> None:
    tower = load_vision_tower(str(write_tower_config(tmp_path, name)))
    model = nn.ModuleDict({"media_tower": tower})
    scales = {key: group["lr_scale"] for key, group in by_name(model, layer_decay=0.5).items()}
    prefix = "media_tower.model."
    if name == "vit":  # one layer
        expected = {"embeddings.": 0.25, "layers.0.": 0.5, "layernorm.": 1.0, "pooler.": 1.0}
    else:  # two stages
        expected = {"embedder.": 0.125, "encoder.stages.0.": 0.25, "encoder.stages.1.": 0.5}
    for key, scale in scales.items():
        part = next(each for each in expected if key.removeprefix(prefix).startswith(each))
        assert scale == expected[part], key


def test_towers_of_a_dual_encoder_have_depths_of_their_own(tmp_path) -> None:
    folder = write_tower_config(tmp_path, "vit")
    model = build_model(str(folder), "all-MiniLM-L6-v2", dimension=4)
    scales = {key: group["lr_scale"] for key, group in by_name(model, layer_decay=0.5).items()}

    def of(part: str) -> set[float]:
        return {scale for key, scale in scales.items() if part in key}

    assert of("text_tower") & of("embeddings.word_embeddings") == {0.5**7}
    assert [of(f".encoder.layer.{layer}.") for layer in range(6)] == [{0.5 ** (6 - layer)} for layer in range(6)]
    assert of("media_tower.model.layers.0.") == {0.5}
    assert of("_head.") == {1.0}
    assert "pooler" not in " ".join(key for key in scales if key.startswith("text_tower"))


POSITIONS = {
    "clip": {
        "model_type": "clip_vision_model",
        **{"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1},
        **{"image_size": 8, "patch_size": 4, "projection_dim": 4},
    },
    "videomae": {
        "model_type": "timesformer",
        **{"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1},
        **{"image_size": 8, "patch_size": 4, "num_frames": 2},
    },
    "vit": None,
    "text": None,
}


def model_of(name, tmp_path) -> nn.Module:
    if name == "text":
        return build_model(None, "all-MiniLM-L6-v2", media_size=4, dimension=4).text_tower
    if name == "vit":
        return load_vision_tower(str(write_tower_config(tmp_path, name)))
    from transformers import AutoConfig, AutoModel

    options = dict(POSITIONS[name])
    return AutoModel.from_config(AutoConfig.for_model(options.pop("model_type"), **options))


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("vit", {"position_embeddings", "cls_token"}),
        ("clip", {"position_embedding.weight", "class_embedding"}),
        ("videomae", {"position_embeddings", "cls_token", "time_embeddings"}),
        ("text", {"position_embeddings.weight"}),
    ],
)
def test_positions_and_class_tokens_have_no_weight_decay(tmp_path, name, without) -> None:
    model = model_of(name, tmp_path)
    decays = {key: group["weight_decay"] for key, group in by_name(model).items()}
    shapes = {key: parameter.ndim for key, parameter in model.named_parameters()}
    special = {key for key in decays if decays[key] == 0.0 and not key.endswith(".bias") and "norm" not in key.lower()}
    assert {next(each for each in without if key.endswith(each)) for key in special} == without
    assert all(decay == 0.3 for key, decay in decays.items() if shapes[key] > 1 and key not in special)


def test_nothing_that_trains_is_refused() -> None:
    model = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(InputError, match="nothing trains: all parameters are frozen; give --freeze fewer patterns"):
        parameter_groups(model, lr=1.0, weight_decay=0.0)


def test_the_groups_are_an_optimizers() -> None:
    model = Toy()
    optimizer = torch.optim.SGD(parameter_groups(model, lr=1.0, weight_decay=0.0, layer_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer.step()
    moved = {name: float((before[name] - value).max()) for name, value in model.state_dict().items()}
    assert moved["head.weight"] == pytest.approx(1.0)
    assert moved["media_tower.embeddings.weight"] == pytest.approx(0.125)
