"""A module with the call shape of CLIP-style training loops: ``loss(images, texts, shifts, step=step)``."""

from torch import Tensor, nn

from pipelines.contrast.strategies import Strategy


class ClipLoopLoss(nn.Module):
    """A temperature strategy as the loss of a CLIP-style loop.

    It takes the place of such a loop's ``ClipLoss(image_features, text_features, logit_scale)``; features need not be
    normalised, and no ``logit_scale`` is passed: the strategy holds the temperature.

    Requirements: with several processes, build the strategy with ``processes=Processes.current()`` and leave out the
    loop's own gathering. Give ``strategy.parameter_groups()`` to the optimizer where the strategy learns.

    Inputs: features of shape ``[n, d]``, a shift per pair ``[n]`` in units of temperature, the optimizer step from 0.

    Example::

        total_steps = epochs * len(loader)
        criterion = ClipLoopLoss(
            make_strategy("mmts", alpha=0.08, total_steps=total_steps, shift_range=(0.05, 0.20))
        )
        for step, (images, texts, shifts) in enumerate(loader):
            loss = criterion(model.encode_image(images), model.encode_text(texts), shifts, step=step)
            loss.backward()

    Source: MM-TS, arXiv 2603.08202.

    Args:
        strategy: Any strategy of `pipelines.contrast` that needs no sample ids.
    """

    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        self.strategy = strategy

    def forward(
        self, image_features: Tensor, text_features: Tensor, shifts: Tensor | None = None, *, step: int
    ) -> Tensor:
        """Return the loss of a batch.

        Args:
            image_features: Image embeddings ``[n, d]``.
            text_features: Text embeddings ``[n, d]``.
            shifts: Each pair's shift ``[n]``; may be left out where the strategy uses none.
            step: Optimizer steps done, from 0.

        Raises:
            InputError: Shapes don't match, or the strategy needs shifts and got none.
        """
        loss: Tensor = self.strategy(image_features, text_features, step=step, shift_n=shifts).loss
        return loss
