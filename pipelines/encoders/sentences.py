"""Sentence encoders: vectors of batches of texts."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import InputError


class SentenceEncoder:
    """A sentence-transformers model that encodes batches of texts.

    Args:
        model: Hub id or folder of any sentence-transformers model.
        device: Torch device, such as ``cpu`` or ``cuda``; chosen by the library if None.
        batch_size: Texts in one forward pass.
        trust_remote_code: Whether code that comes with the model may run.
        name: What errors call the model; ``--model MODEL`` if None.

    Raises:
        InputError: The model can't be loaded, isn't a text model, or the device is not available.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None,
        batch_size: int,
        trust_remote_code: bool = False,
        name: str | None = None,
    ) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        from transformers.utils import logging

        from pipelines.device import choose_device
        from pipelines.models.loading import load_sentence_transformer, model_errors

        logging.disable_progress_bar()  # weights of a small model load in a blink; ours is the bar people see
        if device is not None:  # else the library chooses, among more kinds than we know
            choose_device(device)
        name = name or f"--model {model}"
        with model_errors(name, "a sentence-transformers model"):
            self._model: Any = load_sentence_transformer(model, device, trust_remote_code=trust_remote_code)
        self._model.eval()
        self._batch_size = batch_size
        size = self._model.get_embedding_dimension()
        if size is None:
            raise InputError(f"{name}: does not say the size of its embeddings; use a sentence-transformers model")
        self.dimension: int = size
        limit = self._model.max_seq_length
        self.max_length: int | None = None if limit is None or math.isinf(limit) else limit  # of static models

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, in the given order, batch by batch.

        Returns:
            (n, d) float32, L2-normalised.
        """
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts have more tokens than the model reads."""
        if self.max_length is None:
            return 0
        # No tokenizer makes more tokens than bytes, special tokens aside: only long texts need to be looked at.
        suspects = [text for text in texts if len(text.encode()) + 2 > self.max_length]
        if not suspects:
            return 0
        tokens = self._model.tokenizer(suspects, truncation=False, verbose=False)["input_ids"]
        return sum(len(ids) > self.max_length for ids in tokens)
