"""The order of an epoch, and the pairs it draws from."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines.errors import InputError
from pipelines.train.data import pair_up, read_files
from pipelines.train.sampler import EpochSampler
from pipelines.train.session import Session

# Captions of five media: 3, 1, 2, 1 and 4 of them, not in order.
MEDIA_OF_SAMPLE = torch.tensor([4, 0, 2, 4, 1, 0, 4, 3, 0, 2, 4])


def rows(sampler: EpochSampler, epoch: int) -> list[tuple[list[int], list[int]]]:
    return [(media.tolist(), samples.tolist()) for media, _, samples in sampler.epoch(epoch)]


@pytest.mark.parametrize("epoch", range(1, 6))
def test_every_medium_once_with_a_caption_of_its_own(epoch) -> None:
    batches = rows(EpochSampler(MEDIA_OF_SAMPLE, 5, seed=0), epoch)
    assert [sorted(media) for media, _ in batches] == [[0, 1, 2, 3, 4]]
    for media, samples in batches:
        assert MEDIA_OF_SAMPLE[samples].tolist() == media


def test_every_caption_has_its_turn_about_equally_often() -> None:
    sampler = EpochSampler(MEDIA_OF_SAMPLE, 5, seed=0)
    drawn = torch.tensor([sample for epoch in range(1200) for _, samples in rows(sampler, epoch) for sample in samples])
    share_n = torch.bincount(drawn, minlength=11) / 1200 * torch.bincount(MEDIA_OF_SAMPLE)[MEDIA_OF_SAMPLE]
    assert share_n.tolist() == pytest.approx([1.0] * 11, abs=0.2)  # 5 standard deviations


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    sampler = EpochSampler(MEDIA_OF_SAMPLE, 2, seed=3)
    third = rows(sampler, 3)
    rows(sampler, 1)
    torch.manual_seed(99)
    assert rows(sampler, 3) == third == rows(EpochSampler(MEDIA_OF_SAMPLE, 2, seed=3), 3)
    others = [rows(sampler, epoch) for epoch in range(1, 9) if epoch != 3]
    assert sum(other == third for other in others) == 0
    assert rows(EpochSampler(MEDIA_OF_SAMPLE, 2, seed=4), 3) != third


def test_media_are_shuffled() -> None:
    sampler = EpochSampler(torch.arange(100), 100, seed=0)
    first, second = (rows(sampler, epoch)[0][0] for epoch in (1, 2))
    assert first != sorted(first)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10


def test_the_last_incomplete_batch_is_left_out_of_that_epoch_only() -> None:
    sampler = EpochSampler(MEDIA_OF_SAMPLE, 2, seed=0)
    assert (sampler.steps, sampler.batch_size) == (2, 2)
    left_out = set()
    for epoch in range(30):
        batches = rows(sampler, epoch)
        assert [len(media) for media, _ in batches] == [2, 2]
        seen = {medium for media, _ in batches for medium in media}
        assert len(seen) == 4
        left_out |= set(range(5)) - seen
    assert left_out == set(range(5))


def test_without_reshuffling_batches_stay_and_captions_change() -> None:
    kept, mixed = (EpochSampler(MEDIA_OF_SAMPLE, 2, seed=1, reshuffle=reshuffle) for reshuffle in (False, True))
    epochs = [rows(kept, epoch) for epoch in range(1, 9)]
    media = [[batch for batch, _ in epoch] for epoch in epochs]
    captions = [[samples for _, samples in epoch] for epoch in epochs]
    assert all(each == media[0] for each in media)
    assert any(each != captions[0] for each in captions)
    assert media[0] == [batch for batch, _ in rows(mixed, 1)]
    assert any([batch for batch, _ in rows(mixed, epoch)] != media[0] for epoch in range(2, 9))


def test_media_that_are_never_trained_on_are_counted() -> None:
    weight_m = torch.ones(5, dtype=torch.float64)
    once = EpochSampler(MEDIA_OF_SAMPLE, 2, seed=1, reshuffle=False)
    seen = {medium for epoch in range(1, 9) for media, _ in rows(once, epoch) for medium in media}
    assert once.left_out == 5 - len(seen) == 1
    assert EpochSampler(MEDIA_OF_SAMPLE, 2, seed=1).left_out == 0
    assert EpochSampler(MEDIA_OF_SAMPLE, 2, 1, None, weight_m, reshuffle=False).left_out == 0
    assert EpochSampler(MEDIA_OF_SAMPLE, 512, seed=1, reshuffle=False).left_out == 0


def test_fewer_media_than_a_batch_are_one_batch() -> None:
    sampler = EpochSampler(MEDIA_OF_SAMPLE, 512, seed=0)
    assert (sampler.steps, sampler.batch_size) == (1, 5)
    assert [len(media) for media, _ in rows(sampler, 1)] == [5]


def test_pairs_are_joined_by_id(world) -> None:
    config = world.config("run", temperature="mmts", tau=None, shifts=world.shifts)
    data = pair_up(read_files(config), config, "val")
    assert sorted(data.sample_ids) == sorted(world.samples("val"))
    features_nd = data.media.batch(data.media_of_sample_n)
    for row, sample_id in enumerate(data.sample_ids):
        assert data.media.ids[data.media_of_sample_n[row]] == world.media_of(sample_id)
        assert features_nd[row].tolist() == world.features[world.media_of(sample_id)].tolist()
        assert data.texts[row].tolist() == world.texts[sample_id].tolist()
    assert data.shifts is not None
    assert data.shifts.sample_ids.to_pylist() == data.sample_ids


def test_each_file_is_read_once_for_both_splits(world, monkeypatch) -> None:
    read: list[str] = []

    def counting(method):
        def counted(self, *arguments, **options):
            read.extend(options.get("columns") or self.schema_arrow.names)
            return method(self, *arguments, **options)

        return counted

    for name in ("read", "read_row_group", "iter_batches"):
        monkeypatch.setattr(pq.ParquetFile, name, counting(getattr(pq.ParquetFile, name)))
    session = Session(world.config("run", temperature="mmts", tau=None, alpha=0.02, shifts=world.shifts))
    assert session.validation is not None
    counts = {column: read.count(column) for column in ("split", "text", "embedding", "shift")}
    # Texts come as embeddings, so captions are not needed; embeddings are of texts and of media.
    assert counts == {"split": 1, "text": 0, "embedding": 2, "shift": 1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "text.parquet: 40 of 40 samples are missing there, first: "),
        ("media", "media.parquet: 20 of 20 media are missing there, first: "),
        ("shifts", "shifts.parquet: 40 of 40 training samples are missing there, first: "),
    ],
)
def test_ids_that_are_missing_are_counted(world, name, message) -> None:
    config = world.config("run", temperature="mmts", tau=None, shifts=world.shifts)

    def without_val(content: pa.Table) -> pa.Table:
        split = {**world.split, **{world.media_of(key): value for key, value in world.split.items()}}
        return content.filter(pa.array([split[each.as_py()] != "val" for each in content.column(0)]))

    world.rewrite(name, without_val)
    with pytest.raises(InputError) as error:
        pair_up(read_files(config), config, "val")
    assert message in str(error.value)
