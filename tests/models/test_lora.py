"""Adapters: which layers have one, what trains, and the plain weights they become."""

import builtins

import pytest
import torch
from transformers import AutoModel

from pipelines.errors import InputError
from pipelines.models import LoraSettings, add_lora, build_model, load_model, save_model
from pipelines.models.dual_encoder import DualEncoder

PIXELS = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TEXTS = ["a dog runs", "two cats", "door"]


def build(tiny, media: str, text: str, lora: LoraSettings | None) -> DualEncoder:
    folders = [str(tiny(name)) for name in (media, text)]
    torch.manual_seed(0)
    return build_model(*folders, dimension=4, lora=lora).eval()


def trained(model: DualEncoder) -> DualEncoder:
    """The model with adapters that change something."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=generator)
    return model


def embed(model: DualEncoder) -> tuple[torch.Tensor, torch.Tensor]:
    media, text = model(PIXELS, model.text_tower.tokenize(TEXTS))
    return media.detach(), text.detach()


@pytest.mark.parametrize(("media", "text"), [("vit", "bert"), ("clip", "clip"), ("siglip", "siglip")])
def test_adapters_start_without_effect_and_become_plain_weights(tiny, tmp_path, media, text) -> None:
    plain, model = build(tiny, media, text, None), build(tiny, media, text, LoraSettings(rank=2))
    for found, expected in zip(embed(model), embed(plain), strict=True):
        assert torch.allclose(found, expected, atol=1e-6)
    before = {name: value.clone() for name, value in trained(model).state_dict().items()}
    expected = embed(model)
    assert not torch.allclose(expected[0], embed(plain)[0], atol=1e-3)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert set(loaded.state_dict()) == set(plain.state_dict())
    for found, wanted in zip(embed(loaded), expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert "lora" not in str(AutoModel.from_pretrained(tmp_path / "media_tower").state_dict().keys())


@pytest.mark.parametrize(
    ("media", "text", "names"),
    [("vit", "bert", {"q_proj", "v_proj", "query", "value"}), ("clip", "siglip", {"q_proj", "v_proj"})],
)
def test_queries_and_values_are_adapted_and_only_adapters_train_in_a_tower(tiny, media, text, names) -> None:
    model = build(tiny, media, text, LoraSettings(rank=2))
    training = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    heads = {name for name in training if "_head." in name}
    assert len(heads) == 4
    assert {name.split(".")[-4] for name in training - heads} == names
    assert all(".lora_" in name for name in training - heads)


def test_one_side_and_chosen_layers(tiny) -> None:
    model = build(tiny, "vit", "bert", LoraSettings(rank=2, targets=("fc1",), sides=("media",)))
    adapted = {name for name, _ in model.named_parameters() if "lora_A" in name}
    assert {(name.split(".")[0], name.split(".")[-4]) for name in adapted} == {("media_tower", "fc1")}
    assert any(p.requires_grad for p in model.text_tower.parameters())
    everything = build(tiny, "vit", "bert", LoraSettings(rank=2, targets=("all-linear",), sides=("media",)))
    assert len({name for name, _ in everything.named_parameters() if "lora_A" in name}) > len(adapted)


def test_rank_and_scale(tiny) -> None:
    model = trained(build(tiny, "vit", "bert", LoraSettings(rank=3, alpha=6.0, sides=("media",))))
    state = {name: value for name, value in model.state_dict().items() if "layers.0.attention.q_proj" in name}
    layer = next(m for n, m in model.named_modules() if n.endswith("layers.0.attention.q_proj"))
    inputs = torch.randn(2, 8)
    weight, bias, low, high = (
        next(value for name, value in state.items() if part in name)
        for part in ("base_layer.weight", "base_layer.bias", "lora_A", "lora_B")
    )
    assert low.shape == (3, 8)
    assert torch.allclose(layer(inputs), inputs @ (weight + 2.0 * high @ low).T + bias, atol=1e-5)


def test_a_checkpoints_state_fits_a_model_built_alike(tiny) -> None:
    settings = LoraSettings(rank=2, dropout=0.1)
    model, other = trained(build(tiny, "vit", "bert", settings)), build(tiny, "vit", "bert", settings)
    assert not torch.equal(embed(other)[0], embed(model)[0])
    other.load_state_dict(model.state_dict())
    for found, expected in zip(embed(other), embed(model), strict=True):
        assert torch.equal(found, expected)


def test_what_can_not_be_adapted_is_refused(tiny, monkeypatch) -> None:
    with pytest.raises(InputError, match="--lora-target: can't adapt the media tower"):
        build(tiny, "vit", "bert", LoraSettings(targets=("nosuch",)))
    with pytest.raises(InputError, match="--lora-target: can't adapt the media tower"):
        build(tiny, "resnet", "bert", LoraSettings())
    with pytest.raises(InputError, match="--lora-rank needs a tower to adapt"):
        add_lora(DualEncoder(2, 3, 4), LoraSettings())
    with pytest.raises(InputError, match="there is no --text-model to adapt"):
        build_model(str(tiny("vit")), None, text_size=3, dimension=4, lora=LoraSettings(sides=("text",)))
    original = builtins.__import__

    def without_peft(name, *arguments, **options):
        if name == "peft":
            raise ImportError(name)
        return original(name, *arguments, **options)

    model = build(tiny, "vit", "bert", None)
    monkeypatch.setattr(builtins, "__import__", without_peft)
    with pytest.raises(
        InputError, match=r"--lora-rank needs the package peft; install it with `pip install 'mmts\[lora\]'`"
    ):
        add_lora(model, LoraSettings())
