"""Checkpointed and compiled towers compute the same."""

import pytest
import torch

from pipelines.errors import InputError
from pipelines.models import DualEncoder, build_model, compile_towers, enable_gradient_checkpointing

PIXELS = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TEXTS = ["a dog runs", "two cats", "door"]


def gradients(model: DualEncoder) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)  # dropout
    media, text = model(PIXELS, model.text_tower.tokenize(TEXTS))
    (media @ text.T).square().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize(("media", "text"), [("vit", "bert"), ("clip", "clip"), ("siglip", "siglip")])
def test_checkpointing_gives_the_same_gradients(tiny, media, text) -> None:
    models, folders = [], [str(tiny(name)) for name in (media, text)]
    for checkpointing in (False, True):
        torch.manual_seed(0)
        options = {"dimension": 4, "gradient_checkpointing": checkpointing}
        models.append(build_model(*folders, **options))
    expected = gradients(models[0])
    calls = []
    for module in models[1].modules():
        if getattr(module, "gradient_checkpointing", False):
            function = module._gradient_checkpointing_func
            module._gradient_checkpointing_func = lambda *a, f=function, **k: calls.append(1) or f(*a, **k)
    found = gradients(models[1])
    assert len(calls) >= 3  # the layers of both towers
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-6), name


def test_what_can_not_be_checkpointed_is_refused(tiny) -> None:
    with pytest.raises(InputError, match="--gradient-checkpointing: ResNetModel can't do it; leave it out"):
        build_model(str(tiny("resnet")), None, text_size=3, dimension=4, gradient_checkpointing=True)
    with pytest.raises(InputError, match="--gradient-checkpointing needs a tower"):
        enable_gradient_checkpointing(DualEncoder(2, 3, 4))


@pytest.mark.slow
@pytest.mark.parametrize(("media", "text"), [("vit", "bert"), ("clip", "clip")])
def test_compiled_towers_keep_their_names_and_give_the_same(tiny, media, text) -> None:
    model = build_model(str(tiny(media)), str(tiny(text)), dimension=4).eval()
    tokens, names = model.text_tower.tokenize(TEXTS), list(model.state_dict())
    expected = model(PIXELS, tokens)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compile_towers(model, backend=backend)
    found = model(PIXELS, tokens)
    assert list(model.state_dict()) == names
    assert len(graphs) >= 2
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_there_is_a_tower_to_compile() -> None:
    with pytest.raises(InputError, match="--compile needs a tower"):
        compile_towers(DualEncoder(2, 3, 4))
