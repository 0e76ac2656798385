"""Pooling over the frames of clips."""

import math

import pytest
import torch

from pipelines.errors import InputError
from pipelines.models.pooling import AttentionPooling, make_pooling

FRAMES = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_the_mean() -> None:
    assert torch.equal(make_pooling("mean", 5, None)(FRAMES), FRAMES.mean(dim=1))


def test_attention_starts_from_the_mean_and_can_learn() -> None:
    pooling = make_pooling("attention", 5, 4)
    pooled = pooling(FRAMES)
    assert torch.allclose(pooled, FRAMES.mean(dim=1), atol=1e-6)
    pooled.square().sum().backward()
    assert pooling.query.grad.abs().min() > 0


def test_attention_by_hand() -> None:
    pooling = AttentionPooling(5, 4)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
        found = pooling(FRAMES)
        for clip, pooled in zip(FRAMES, found, strict=True):
            scores = []
            for frame, position in zip(clip, pooling.position, strict=True):
                seen = frame + position
                normal = (seen - seen.mean()) / (seen.var(unbiased=False) + 1e-5).sqrt()
                key = normal * pooling.norm.weight + pooling.norm.bias
                scores.append(math.exp(float(key @ pooling.query) / math.sqrt(5)))
            expected = sum(score * frame for score, frame in zip(scores, clip, strict=True)) / sum(scores)
            assert torch.allclose(pooled, expected, atol=1e-5)


def test_the_place_of_a_frame_counts() -> None:
    pooling = AttentionPooling(5, 4)
    torch.nn.init.normal_(pooling.query)
    torch.nn.init.normal_(pooling.position)
    assert not torch.allclose(pooling(FRAMES), pooling(FRAMES.flip(1)), atol=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="attention pooling is over 4 frames per clip, not 3"):
        AttentionPooling(5, 4)(FRAMES[:, :3])
    with pytest.raises(InputError, match="--pooling attention is over the frames of video clips; give --frames"):
        make_pooling("attention", 5, None)
    with pytest.raises(InputError, match="pooling 'max' is unknown; choose one of mean, attention"):
        make_pooling("max", 5, 4)  # type: ignore[arg-type]  # the point of the test
