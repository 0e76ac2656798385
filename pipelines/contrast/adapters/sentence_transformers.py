"""A loss for sentence-transformers' trainer that reads each pair's shift from a data set column."""

from collections.abc import Iterable
from typing import Any, Protocol

from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from pipelines.contrast.strategies import Strategy
from pipelines.errors import InputError


class _State(Protocol):
    global_step: int


class _Trainer(Protocol):
    state: _State


class ScheduledContrastiveLoss(nn.Module):
    """A temperature strategy of `pipelines.contrast` as a loss of `SentenceTransformerTrainer`.

    Requirements: a data set of two input columns, in the order anchor (media) and text, and one with the shift. The
    trainer hands a loss one column beside the inputs: the one named ``label``. A column of another name is picked by
    giving the trainer ``SentenceTransformerDataCollator(model.preprocess, valid_label_columns=["shift"])``. The step
    is the trainer's own, read after `follow`, so a resumed run, or one that accumulates gradients, is at the right
    one. A strategy with parameters of its own (learned, mmts-learned) trains them in one process only, and
    without weight decay as long as the trainer's is 0, its default.

    Inputs: (anchor, text) pairs; labels are shifts ``[n]`` in units of temperature (ignored by strategies without).

    Example::

        dataset = Dataset.from_dict({"caption": captions, "sentence": sentences, "label": shifts})
        args = SentenceTransformerTrainingArguments(output_dir="out", max_steps=1000)
        loss = ScheduledContrastiveLoss(
            model, make_strategy("mmts", alpha=0.08, total_steps=1000, shift_range=(min(shifts), max(shifts)))
        )
        trainer = SentenceTransformerTrainer(model=model, args=args, train_dataset=dataset, loss=loss)
        loss.follow(trainer)
        trainer.train()

    Source: MM-TS, arXiv 2603.08202.

    Args:
        model: The model that is trained.
        strategy: Any strategy that needs no sample ids.
    """

    def __init__(self, model: SentenceTransformer, strategy: Strategy) -> None:
        super().__init__()
        self.model = model
        self.strategy = strategy
        self._trainer: _Trainer | None = None

    def follow(self, trainer: _Trainer) -> None:
        """Take the step from a trainer; call it before ``trainer.train()``."""
        self._trainer = trainer

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None) -> Tensor:
        """Return the loss of a batch.

        Args:
            sentence_features: The tokenized columns, two of them.
            labels: Each pair's shift ``[n]``, or ``None`` where the data set has no such column.

        Raises:
            InputError: There aren't two input columns, `follow` was not called, or shifts are missing.
        """
        columns = list(sentence_features)
        if len(columns) != 2:
            raise InputError(
                f"the data set has {len(columns)} input columns; give two, and the shift in a column named 'label'"
            )
        if self._trainer is None:
            raise InputError("the loss doesn't know the step; call loss.follow(trainer) before trainer.train()")
        media_nd, text_nd = (self.model(column)["sentence_embedding"] for column in columns)
        loss: Tensor = self.strategy(media_nd, text_nd, step=self._trainer.state.global_step, shift_n=labels).loss
        return loss

    def get_config_dict(self) -> dict[str, Any]:
        """Return what the library writes into the model card."""
        return {"strategy": type(self.strategy).__name__, "loss": self.strategy.loss.name, **self.strategy.settings}
