"""Heads, encoding in batches, and a folder that brings the same model back."""

import json
import shutil

import pytest
import torch
from tiny_world import write_tower_config
from torch.nn import functional

from pipelines.errors import InputError
from pipelines.models import (
    DualEncoder,
    build_model,
    encode_media,
    encode_texts,
    load_model,
    make_projection,
    save_model,
)
from pipelines.models.vision import load_vision_tower

CPU = torch.device("cpu")


class Rows:
    """Media that are their own row number."""

    is_in_memory = True

    def __init__(self, count: int) -> None:
        self.ids = [f"m{row}" for row in range(count)]

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([rows, rows**2], dim=1).float()


def test_heads_by_hand() -> None:
    inputs = torch.randn(4, 3)
    linear, mlp = make_projection("linear", 3, 5), make_projection("mlp", 3, 5)
    state = linear.state_dict()
    assert torch.allclose(linear(inputs), inputs @ state["weight"].T + state["bias"], atol=1e-6)
    state = mlp.state_dict()
    assert state["0.weight"].shape == (3, 3)
    hidden = functional.gelu(inputs @ state["0.weight"].T + state["0.bias"])
    assert torch.allclose(mlp(inputs), hidden @ state["2.weight"].T + state["2.bias"], atol=1e-6)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(InputError, match="projection 'cubic' is unknown; choose one of linear, mlp"):
        make_projection("cubic", 3, 5)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize("rows", [1, 512, 1025])
def test_encoding_keeps_the_order_whatever_the_batches(rows) -> None:
    model = DualEncoder(2, 3, 4).eval()
    media_nd = encode_media(model, Rows(rows), CPU)
    expected_nd = model.media_head(Rows(rows).batch(torch.arange(rows))).detach()
    assert torch.allclose(media_nd, expected_nd, rtol=1e-5)
    text_nd = torch.randn(rows, 3)
    assert torch.allclose(encode_texts(model, text_nd, CPU), model.text_head(text_nd).detach(), atol=1e-6)


@pytest.mark.parametrize(("projection", "text_size", "dimension"), [("linear", 3, 4), ("mlp", 3, 4), ("none", 2, 2)])
def test_a_model_of_features_comes_back(tmp_path, projection, text_size, dimension) -> None:
    model = DualEncoder(2, text_size, dimension, projection)
    save_model(model, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["dual_encoder.json", "heads.safetensors"]
    loaded = load_model(tmp_path / "model")
    assert (loaded.settings, loaded.training) == (model.settings, False)
    media, text = torch.randn(5, 2), torch.randn(5, text_size)
    for found, expected in zip(loaded(media, text), model(media, text), strict=True):
        assert torch.equal(found, expected)


def test_a_model_of_pixels_comes_back(tmp_path) -> None:
    tower = load_vision_tower(str(write_tower_config(tmp_path / "config", "resnet")))
    model = DualEncoder(8, 3, 4, media_tower=tower)
    pixels = torch.rand(6, 3, 16, 16)
    model.train()
    model.embed_media(pixels)  # moves the running statistics of batch norms
    model.eval()
    save_model(model, tmp_path / "model")
    assert torch.equal(load_model(tmp_path / "model").embed_media(pixels), model.embed_media(pixels))


def without_digests(folder) -> None:
    """As mmts 0.1.0 wrote it."""
    path = folder / "dual_encoder.json"
    path.write_text(
        json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "files"})
    )


def test_a_damaged_folder_is_named(tmp_path) -> None:
    folder = tmp_path / "model"
    with pytest.raises(InputError, match=r"dual_encoder\.json: no such file"):
        load_model(folder)
    save_model(DualEncoder(2, 3, 4), folder)
    weights = (folder / "heads.safetensors").read_bytes()
    (folder / "heads.safetensors").write_bytes(weights[:-9])
    with pytest.raises(InputError, match=r"heads\.safetensors: changed since the run was trained; restore"):
        load_model(folder)
    without_digests(folder)
    with pytest.raises(InputError, match=r"model: not a trained model that loads \("):
        load_model(folder)
    save_model(DualEncoder(2, 3, 4, "mlp"), tmp_path / "other")
    (folder / "heads.safetensors").write_bytes((tmp_path / "other" / "heads.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"heads\.safetensors holds other weights than dual_encoder\.json says"):
        load_model(folder)
    (folder / "dual_encoder.json").write_text(json.dumps({"media_inputs": 2}))
    with pytest.raises(InputError, match=r"model: not a trained model that loads \("):
        load_model(folder)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_a_clip_is_its_frames_pooled(tiny, tmp_path, pooling) -> None:
    model = build_model(str(tiny("vit")), None, text_size=3, dimension=4, frames=2, pooling=pooling).eval()
    if pooling == "attention":
        torch.nn.init.normal_(model.get_parameter("frame_pooling.query"))
    clips = torch.randint(0, 256, (3, 2, 3, 16, 16), dtype=torch.uint8)
    frames_nfd = torch.stack([model.media_tower(clips[:, frame]) for frame in range(2)], dim=1)
    expected = model.media_head(model.frame_pooling(frames_nfd))
    assert torch.allclose(model.embed_media(clips), expected, atol=1e-6)
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.settings == model.settings
    assert torch.allclose(loaded.embed_media(clips), expected, atol=1e-6)


def test_a_towers_own_vectors_go_straight_to_the_head(tiny) -> None:
    model = build_model(str(tiny("vit")), str(tiny("bert")), dimension=4).eval()
    pixels, tokens = torch.rand(2, 3, 16, 16), model.text_tower.tokenize(["a dog", "door"])
    media, text = model(pixels, tokens)
    again = model(model.media_tower(pixels), model.text_tower(tokens))
    assert torch.equal(again[0], media)
    assert torch.equal(again[1], text)


@pytest.mark.parametrize(
    ("media", "text", "projection", "kind"),
    [
        ("vit", "bert", "linear", "sentence-transformers"),
        ("resnet", "bert", "mlp", "sentence-transformers"),
        ("clip", "clip", "none", "transformers"),
        ("siglip", "siglip", "none", "transformers"),
    ],
)
def test_a_model_of_towers_comes_back_bit_for_bit(tiny, tmp_path, media, text, projection, kind) -> None:
    options = {"projection": projection, "dimension": None if projection == "none" else 4}
    model = build_model(str(tiny(media)), str(tiny(text)), **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert not loaded.training
    assert list(loaded.state_dict()) == list(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    settings = json.loads((tmp_path / "model" / "dual_encoder.json").read_text())
    assert (settings["media_tower"], settings["text_tower"], settings["image_size"]) == ("transformers", kind, 16)
    assert not [path for path in (tmp_path / "model").rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


@pytest.mark.parametrize("pixels", [False, True])
def test_a_model_that_version_0_1_0_wrote_is_read(tiny, tmp_path, pixels) -> None:
    size = 8 if pixels else 2
    model = DualEncoder(size, 3, 4, media_tower=load_vision_tower(str(tiny("vit"))) if pixels else None).eval()
    save_model(model, tmp_path)
    old = {"media_inputs": size, "text_inputs": 3, "dimension": 4, "head": "linear", "pixels": pixels}
    (tmp_path / "dual_encoder.json").write_text(json.dumps(old))
    inputs = torch.rand(2, 3, 16, 16) if pixels else torch.rand(2, 2)
    assert torch.allclose(load_model(tmp_path).embed_media(inputs), model.embed_media(inputs), atol=1e-6)


def test_a_damaged_tower_is_named(tiny, tmp_path) -> None:
    save_model(build_model(str(tiny("vit")), str(tiny("bert")), dimension=4), tmp_path)
    weights = tmp_path / "media_tower" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    with pytest.raises(InputError, match=rf"^{weights}: changed since the run was trained"):
        load_model(tmp_path)
    without_digests(tmp_path)
    with pytest.raises(InputError, match=rf"^{tmp_path}: media_tower: not a vision model that loads \("):
        load_model(tmp_path)
    shutil.rmtree(tmp_path / "media_tower")
    with pytest.raises(InputError, match=r"no folder media_tower, but dual_encoder\.json names this tower"):
        load_model(tmp_path)


@pytest.mark.parametrize("batch_size", [1, 2, 512])
def test_texts_are_encoded_in_the_order_given(tiny, batch_size) -> None:
    model = build_model(None, str(tiny("bert")), media_size=2, dimension=4).eval()
    texts = ["two cats in the sea", "a", "a dog runs", "door open", "a man climbs"]
    found = encode_texts(model, texts, CPU, batch_size=batch_size)
    expected = torch.cat([model.embed_text(model.text_tower.tokenize([text])) for text in texts])
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_lower_precision_is_used_and_gives_float32(tiny) -> None:
    model = build_model(None, str(tiny("bert")), media_size=2, dimension=4).eval()
    exact, lower = (encode_texts(model, ["a dog"], CPU, precision=name) for name in ("32", "bf16-mixed"))
    assert lower.dtype == torch.float32
    assert not torch.equal(lower, exact)
    assert torch.allclose(lower, exact, atol=0.05)
