"""The path a batch takes in the trainer (collator, `collect_features`, loss), with a tiny model made on the spot."""

from types import SimpleNamespace

import pytest
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from pipelines.contrast import CosineSchedule, info_nce, make_strategy
from pipelines.contrast.adapters.sentence_transformers import ScheduledContrastiveLoss
from pipelines.errors import InputError

COLORS, THINGS = ("red", "green", "blue"), ("cup", "dog", "hat")


def tiny_model() -> SentenceTransformer:
    words = ["unknown", "a", "photo", "of", *COLORS, *THINGS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="unknown"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def rows(shift_column: str | None) -> list[dict[str, object]]:
    """Pairs as a data set yields them, the shift last."""
    pairs = [(f"a photo of a {color} {thing}", f"{color} {thing}") for color in COLORS for thing in THINGS]
    found: list[dict[str, object]] = [{"caption": caption, "sentence": sentence} for caption, sentence in pairs]
    if shift_column:
        for i, row in enumerate(found):
            row[shift_column] = 0.05 + 0.15 * i / (len(found) - 1)
    return found


def features(model: SentenceTransformer, shift_column: str | None = "label") -> tuple[list[dict[str, Tensor]], Tensor]:
    labels = [shift_column] if shift_column else []
    collator = SentenceTransformerDataCollator(model.preprocess, valid_label_columns=labels)
    return SentenceTransformerTrainer.collect_features(None, collator(rows(shift_column)))


def trainer_at(step: int) -> SimpleNamespace:
    return SimpleNamespace(state=SimpleNamespace(global_step=step))


@pytest.mark.parametrize("shift_column", ["label", "shift"])
def test_shifts_of_a_column_and_the_trainer_s_step_make_the_temperature(shift_column: str) -> None:
    model = tiny_model()
    loss = ScheduledContrastiveLoss(model, make_strategy("mmts", alpha=0.08, period=10, shift_range=(0.05, 0.2)))
    trainer = trainer_at(0)
    loss.follow(trainer)
    columns, labels = features(model, shift_column)
    captions, sentences = (model(dict(column))["sentence_embedding"] for column in columns)
    shift_n = torch.tensor([row[shift_column] for row in rows(shift_column)])
    for step in (0, 4, 5):
        trainer.state.global_step = step
        expected = info_nce(captions, sentences, CosineSchedule(0.08, 10)(step) + shift_n)
        assert loss(columns, labels).item() == pytest.approx(expected.item(), rel=1e-6)


def test_it_trains() -> None:
    model = tiny_model()
    loss = ScheduledContrastiveLoss(model, make_strategy("mmts", alpha=0.08, period=10, shift_range=(0.05, 0.2)))
    trainer = trainer_at(0)
    loss.follow(trainer)
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.05)
    columns, labels = features(model)
    losses = []
    for step in range(21):
        trainer.state.global_step = step
        value = loss(columns, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[20] < losses[0] / 2  # one phase of the schedule at both


def test_strategies_without_shifts_need_no_such_column() -> None:
    model = tiny_model()
    loss = ScheduledContrastiveLoss(model, make_strategy("fixed", loss="max-margin"))
    loss.follow(trainer_at(3))
    columns, labels = features(model, None)
    assert labels is None
    assert loss(columns, labels).item() > 0
    assert loss.get_config_dict() == {"strategy": "Scheduled", "loss": "max-margin", "tau": 0.2}


def test_a_loss_that_does_not_know_the_step_refuses() -> None:
    model = tiny_model()
    loss = ScheduledContrastiveLoss(model, make_strategy("fixed"))
    with pytest.raises(InputError, match=r"call loss\.follow\(trainer\)"):
        loss(*features(model))


def test_a_column_too_many_is_refused() -> None:
    model = tiny_model()
    loss = ScheduledContrastiveLoss(model, make_strategy("fixed"))
    columns, labels = features(model)
    with pytest.raises(InputError, match="3 input columns"):
        loss([*columns, columns[0]], labels)
