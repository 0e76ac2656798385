"""Duplicates, weights and sampling: what the loss is told, and what is drawn."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tiny_world import CLUSTER_SIZES, TinyWorld

from pipelines.contrast import InfoNCE, MaxMargin, Sigmoid
from pipelines.errors import InputError
from pipelines.train import train
from pipelines.train.sampler import EpochSampler
from pipelines.train.session import Session

LOSSES = {"infonce": InfoNCE, "max-margin": MaxMargin, "sigmoid": Sigmoid}


@pytest.fixture
def with_doubles(world: TinyWorld) -> TinyWorld:
    """One caption a medium; the captions of every third medium read the same."""
    table = pq.read_table(world.annotations)
    table = table.filter(pa.array([each.endswith("#0") for each in table["sample_id"].to_pylist()]))
    numbers = [world.media_ids.index(world.media_of(each)) for each in table["sample_id"].to_pylist()]
    texts = pa.array(["the same" if number % 3 == 0 else f"caption {number}" for number in numbers])
    world.rewrite("annotations", lambda _: table.set_column(table.column_names.index("text"), "text", texts))
    return world


def first_loss(world: TinyWorld, **options) -> float:
    train(world.config("run", **{"epochs": 1, "batch_size": 48, "clusters": world.clusters, **options}), force=True)
    return pq.read_table(world.folder / "run" / "steps.parquet")["loss"][0].as_py()


def by_hand(world: TinyWorld, loss: str, related: str = "mask", **pairs: torch.Tensor) -> float:
    """The loss of the first batch, which holds all training media."""
    torch.manual_seed(0)
    media_head, text_head = torch.nn.Linear(12, 8), torch.nn.Linear(10, 8)
    ids = [sample for sample in world.samples("train") if sample.endswith("#0")]
    media_nd = media_head(torch.tensor(np.stack([world.features[world.media_of(each)] for each in ids])))
    text_nd = text_head(torch.tensor(np.stack([world.texts[each] for each in ids])))
    return LOSSES[loss](related=related).double()(media_nd.double(), text_nd.double(), 0.1, **pairs).item()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_pair_weighs_its_clusters_size_to_a_power(with_doubles, loss) -> None:
    ids = [sample for sample in with_doubles.samples("train") if sample.endswith("#0")]
    weight_n = torch.tensor([CLUSTER_SIZES[with_doubles.cluster[each]] ** -0.5 for each in ids], dtype=torch.float64)
    expected = by_hand(with_doubles, loss, weight_n=weight_n)
    assert expected != pytest.approx(by_hand(with_doubles, loss), rel=1e-4)
    assert first_loss(with_doubles, loss=loss, weight=0.5) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["infonce", "sigmoid"])
def test_candidates_have_the_log_of_their_clusters_share_added(with_doubles, loss) -> None:
    ids = [sample for sample in with_doubles.samples("train") if sample.endswith("#0")]
    share_n = torch.tensor([CLUSTER_SIZES[with_doubles.cluster[each]] for each in ids], dtype=torch.float64) / 48
    expected = by_hand(with_doubles, loss, adjustment_n=0.7 * share_n.log())
    assert expected != pytest.approx(by_hand(with_doubles, loss), rel=1e-4)
    assert first_loss(with_doubles, loss=loss, adjust=0.7) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_pairs_of_one_text_are_negatives_masked_or_positives(with_doubles, loss) -> None:
    group_n = torch.tensor([0 if number % 3 == 0 else number for number in range(48)])
    expected = {
        "negative": by_hand(with_doubles, loss),
        "mask": by_hand(with_doubles, loss, "mask", text_group_n=group_n),
        "positive": by_hand(with_doubles, loss, "count", text_group_n=group_n),
    }
    assert len({round(value, 4) for value in expected.values()}) == 3
    for duplicates, value in expected.items():
        options = {"loss": loss, "duplicates": duplicates, "clusters": None}
        assert first_loss(with_doubles, **options) == pytest.approx(value, rel=1e-5), duplicates


def test_a_medium_drawn_twice_is_no_negative_of_itself_unless_asked(with_doubles) -> None:
    """With a cluster that outweighs all others the batch has media many times over."""
    drawn = {"sampling": "cluster", "power": 0.0}
    losses = [first_loss(with_doubles, **drawn, duplicates=each) for each in (None, "mask", "negative", "positive")]
    assert losses[0] == losses[1]
    assert len({round(loss, 4) for loss in losses}) == 3


MEDIA_OF_SAMPLE = torch.tensor([4, 0, 2, 4, 1, 0, 4, 3, 0, 2, 4])
WEIGHT = torch.tensor([0.1, 0.2, 0.0, 0.3, 0.4], dtype=torch.float64) * 7


def test_media_are_drawn_in_proportion_with_captions_of_their_own() -> None:
    sampler = EpochSampler(MEDIA_OF_SAMPLE, 2, seed=0, media_weight_m=WEIGHT)
    assert sampler.steps == EpochSampler(MEDIA_OF_SAMPLE, 2, seed=0).steps == 2
    drawn: Counter[int] = Counter()
    for epoch in range(1500):
        for media, _, samples in sampler.epoch(epoch):
            assert MEDIA_OF_SAMPLE[samples].tolist() == media.tolist()
            drawn.update(media.tolist())
    shares = [drawn[medium] / drawn.total() for medium in range(5)]
    assert shares == pytest.approx([0.1, 0.2, 0.0, 0.3, 0.4], abs=0.03)  # 5 standard deviations
    assert not drawn[2]


def test_what_is_drawn_is_a_function_of_seed_and_epoch_alone() -> None:
    def epoch(number: int, seed: int = 3) -> list[list[int]]:
        sampler = EpochSampler(torch.arange(50), 10, seed=seed, media_weight_m=torch.ones(50).double())
        return [media.tolist() for media, _, _ in sampler.epoch(number)]

    assert epoch(1) == epoch(1)
    assert epoch(1) != epoch(2)
    assert epoch(1) != epoch(1, seed=4)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_run_draws_by_the_size_of_clusters(world, power) -> None:
    config = world.config("run", sampling="cluster", power=power, clusters=world.clusters)
    session = Session(config)
    sizes = [CLUSTER_SIZES[world.cluster[f"{media}#0"]] for media in session.training.media.ids]
    assert session.balance.media_weight_m is not None
    assert session.balance.media_weight_m.tolist() == pytest.approx([size ** (power - 1) for size in sizes])


def test_shifts_have_sizes_too(world) -> None:
    options = {"temperature": "mmts", "tau": None, "alpha": 0.0, "shifts": world.shifts, "weight": 1.0}
    of_shifts = first_loss(world, **options, clusters=None)
    assert of_shifts == first_loss(world, **options)
    assert of_shifts != first_loss(world, **{**options, "weight": None}, clusters=None)


def test_sampling_goes_on_bit_for_bit(world, goes_on_bit_for_bit) -> None:
    goes_on_bit_for_bit(sampling="cluster", power=0.3, weight=0.5, clusters=world.clusters, duplicates="positive")


def test_a_cluster_without_training_samples_is_refused(world) -> None:
    world.rewrite("clusters", lambda t: t.set_column(2, "cluster_size", pa.array([0] * len(t), pa.int64())))
    with pytest.raises(InputError, match=r"clusters.parquet: 96 training samples have cluster size 0; make"):
        train(world.config("run", weight=1.0, clusters=world.clusters))
