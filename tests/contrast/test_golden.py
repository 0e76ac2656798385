"""Golden losses: what each loss and strategy gave when they were last found right, under a fixed seed.

After a deliberate change: ``python -m tests.contrast.test_golden`` from the root of the repository writes them anew.
"""

import json
from pathlib import Path

import pytest

from pipelines.contrast import info_nce, max_margin, sigmoid

from .strategies.cases import CASES, build, inputs

FILE = Path(__file__).parent / "golden_losses.json"
LOSSES = {"infonce": info_nce, "max-margin": max_margin, "sigmoid": sigmoid}
STEPS = 4


def golden() -> dict[str, list[float]]:
    """Losses of each case at a few steps."""
    found: dict[str, list[float]] = {}
    given = inputs()
    media_nd, text_nd, shift_n = (given[key] for key in ("media_nd", "text_nd", "shift_n"))
    extra = {key: given[key] for key in ("media_group_n", "weight_n")}
    for name, loss in LOSSES.items():
        found[f"loss {name}"] = [
            loss(media_nd, text_nd, 0.1).item(),
            loss(media_nd, text_nd, shift_n).item(),
            loss(media_nd, text_nd, shift_n, related="mask", **extra).item(),
            loss(media_nd, text_nd, shift_n, related="count", **extra).item(),
        ]
    for name, loss in CASES:
        strategy = build(name, loss)
        found[f"strategy {name} {loss}"] = [
            strategy(
                media_nd, text_nd.roll(step, 0), step=step, shift_n=shift_n, sample_n=given["sample_n"]
            ).loss.item()
            for step in range(STEPS)
        ]
    return found


def test_losses_are_the_golden_ones() -> None:
    expected = json.loads(FILE.read_text())
    found = golden()
    assert len(expected) >= 21
    for case, losses in expected.items():
        assert found[case] == pytest.approx(losses, rel=1e-6), case


if __name__ == "__main__":
    FILE.write_text(json.dumps(golden(), indent=1) + "\n")
