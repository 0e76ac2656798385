import pytest
import torch
from torch import nn

from pipelines.contrast import CosineSchedule, cluster_shifts, info_nce, make_strategy
from pipelines.contrast.adapters.clip_loop import ClipLoopLoss
from pipelines.errors import InputError


def test_a_clip_style_loop_with_cluster_shifts() -> None:
    torch.manual_seed(0)
    image, text = nn.Linear(6, 4), nn.Linear(5, 4)
    pictures, captions = torch.randn(16, 6), torch.randn(16, 5)
    shifts = cluster_shifts(torch.randint(1, 50, (16,)), 0.05, 0.20, "log").float()
    criterion = ClipLoopLoss(
        make_strategy("mmts", alpha=0.08, total_steps=30, oscillations=3, shift_range=(0.05, 0.20))
    )
    optimizer = torch.optim.AdamW([*image.parameters(), *text.parameters()], lr=0.05)
    losses = []
    for step in range(30):
        image_features, text_features = image(pictures), text(captions)
        loss = criterion(image_features, text_features, shifts, step=step)
        expected = info_nce(image_features, text_features, CosineSchedule(0.08, 10)(step) + shifts)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[20] < losses[0] / 2


def test_a_learned_temperature_trains_through_it() -> None:
    criterion = ClipLoopLoss(make_strategy("learned"))
    criterion(torch.randn(8, 4), torch.randn(8, 4), step=0).backward()
    assert criterion.strategy.logit_scale.grad.abs() > 0


def test_shifts_can_not_be_forgotten() -> None:
    criterion = ClipLoopLoss(make_strategy("mmts", period=10, shift_range=(0.05, 0.2)))
    with pytest.raises(InputError, match="needs shift_n"):
        criterion(torch.eye(3), torch.eye(3), step=1)


def test_the_step_can_not_be_forgotten() -> None:
    criterion = ClipLoopLoss(make_strategy("mmts", period=10, shift_range=(0.05, 0.2)))
    with pytest.raises(TypeError, match="step"):
        criterion(torch.eye(3), torch.eye(3), torch.full((3,), 0.1))
