"""Texts to token ids, apart from the tower's weights, so that worker processes can do it."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor


class TextTokenizer:
    """A tokenizer with what a text tower wants of it; can be pickled, and sent to worker processes.

    Args:
        tokenizer: The transformers tokenizer.
        max_length: Tokens that the tower reads of a text, special ones included; the rest is cut off.
        padding: ``longest`` text of the batch, or ``max_length`` for towers that read the last position.
        prompt: What the model puts before each text.
    """

    def __init__(self, tokenizer: Any, max_length: int, *, padding: str = "longest", prompt: str = "") -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.padding = padding
        self.prompt = prompt

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Token ids of some texts and what goes with them, ``[n, tokens]`` each."""
        tokens = self.tokenizer(
            [self.prompt + text for text in texts],
            padding=self.padding,
            truncation="longest_first",
            max_length=self.max_length,
            return_tensors="pt",
        )
        return dict(tokens)

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts have more tokens than the tower reads."""
        # No tokenizer makes more tokens than bytes, special tokens aside: only long texts need to be looked at.
        prompted = [self.prompt + text for text in texts]
        suspects = [text for text in prompted if len(text.encode()) + 2 > self.max_length]
        if not suspects:
            return 0
        tokens = self.tokenizer(suspects, truncation=False, verbose=False)["input_ids"]
        return sum(len(ids) > self.max_length for ids in tokens)
