"""Dual encoders from what a training run is told, and refusals that name the flag."""

import pytest
import torch
from transformers import CLIPModel

from pipelines.errors import InputError
from pipelines.models import build_model, loading

PIXELS = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_both_sides_of_a_clip_are_its_own_space_from_one_load(tiny, monkeypatch) -> None:
    loads = []
    original = loading.load_transformers

    def counted(source, **options):
        loads.append(source)
        return original(source, **options)

    monkeypatch.setattr("pipelines.models.build.load_transformers", counted)
    monkeypatch.setattr("pipelines.models.vision.load_transformers", counted)
    monkeypatch.setattr("pipelines.models.text.load_transformers", counted)
    source = str(tiny("clip"))
    model = build_model(source, source, projection="none").eval()
    assert loads == [source]
    assert model.settings["dimension"] == 6
    assert not {id(p) for p in model.media_tower.parameters()} & {id(p) for p in model.text_tower.parameters()}
    tokens = model.text_tower.tokenize(["a dog runs", "door", "two cats"])
    media, text = (torch.nn.functional.normalize(each, dim=1) for each in model(PIXELS, tokens))
    mean, std = (torch.tensor(each).reshape(3, 1, 1) for each in ([0.1, 0.2, 0.3], [0.5, 0.25, 0.2]))
    clip = CLIPModel.from_pretrained(source).eval()
    expected = clip(pixel_values=(PIXELS - mean) / std, **tokens).logits_per_image / clip.logit_scale.exp()
    assert torch.allclose(media @ text.T, expected, atol=1e-5)


def test_the_same_random_state_gives_the_same_model(tiny) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_model(str(tiny("vit")), None, text_size=3, dimension=4).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not torch.equal(states[0]["text_head.weight"], states[2]["text_head.weight"])


def test_arguments_that_do_not_fit_are_refused(tiny) -> None:
    sizes = {"media_size": 3, "text_size": 3}
    with pytest.raises(
        InputError, match="--projection none needs sides that share a space already, but media have 3 dim"
    ):
        build_model(None, None, media_size=3, text_size=4, projection="none")
    with pytest.raises(InputError, match="--dimension 4: with --projection none it is 3; leave it out"):
        build_model(None, None, **sizes, projection="none", dimension=4)
    with pytest.raises(InputError, match="--pooling attention is over the frames of video clips"):
        build_model(None, None, **sizes, dimension=4, frames=2, pooling="attention")
    with pytest.raises(InputError, match=r"--freeze nosuch: no parameter has such a name"):
        build_model(None, None, **sizes, dimension=4, freeze_patterns=["nosuch"])


def test_models_that_do_not_load_are_refused_by_flag(tiny, tmp_path) -> None:
    with pytest.raises(InputError, match=r"^--media-model .*nosuch: "):
        build_model(str(tmp_path / "nosuch"), None, text_size=3, dimension=4)
    with pytest.raises(InputError, match=r"^--text-model .*nosuch: "):
        build_model(None, str(tmp_path / "nosuch"), media_size=3, dimension=4)
    with pytest.raises(InputError, match=r"^--media-model and --text-model .*nosuch: no such folder"):
        build_model(*[str(tmp_path / "nosuch")] * 2, dimension=4)
    with pytest.raises(InputError, match=r"^--media-model .*: BertModel takes input_ids, not pixels"):
        build_model(str(tiny("bert")), str(tiny("bert")), dimension=4)
