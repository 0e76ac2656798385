"""Every strategy with every loss it works with, built alike; shared by the golden and the multi-process tests."""

import torch
from torch import Tensor

from pipelines.contrast import STRATEGIES, Strategy, make_strategy

N, SIZE = 12, 6
SAMPLE_IDS = [f"sample-{i}" for i in range(20)]
CASES = [(name, loss) for name, kind in STRATEGIES.items() for loss in kind.losses]


def build(name: str, loss: str, **options: object) -> Strategy:
    torch.manual_seed(5)
    strategy = make_strategy(
        name,
        loss=loss,
        alpha=0.08,
        period=10,
        shift_range=(0.05, 0.2),
        sample_ids=SAMPLE_IDS,
        embedding_size=SIZE,
        **options,
    )
    if name == "tempnet":  # what is dropped depends on how a batch is spread
        for network in (strategy.media_network, strategy.text_network):
            network.dropout.p = 0.0
    return strategy.double()


def inputs() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(6)
    media_nd = torch.randn(N, SIZE, generator=generator, dtype=torch.float64)
    text_nd = media_nd + torch.randn(N, SIZE, generator=generator, dtype=torch.float64)
    return {
        "media_nd": media_nd,
        "text_nd": text_nd,
        "shift_n": torch.rand(N, generator=generator, dtype=torch.float64) * 0.15 + 0.05,
        "sample_n": torch.randperm(20, generator=generator)[:N],
        "media_group_n": torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 8, 9, 4, 11]),
        "weight_n": torch.rand(N, generator=generator, dtype=torch.float64) + 0.5,
    }
