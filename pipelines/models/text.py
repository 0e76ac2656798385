"""Text towers: a sentence-transformers model, or the text side of a CLIP-like one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.errors import InputError
from pipelines.model_files import resolve_model
from pipelines.models.loading import (
    load_config,
    load_sentence_transformer,
    load_tokenizer,
    load_transformers,
    model_errors,
)
from pipelines.models.sides import is_dual, one_side
from pipelines.models.tokens import TextTokenizer
from pipelines.remote import as_path

Tokens = dict[str, Tensor]

# Their text models read the last position, which is padding in all texts they were trained on but the longest.
_PADDED_TO_MAXIMUM = ("siglip", "siglip2")


class TextTower(nn.Module):
    """What text towers share.

    Args:
        model: The model, of the library that loads and saves it.
        tokenizer: Its tokenizer.

    Attributes:
        tokenizer: From texts to what ``forward`` takes; can be sent to worker processes alone.
        dimension: Size of its vectors.
    """

    kind: str

    def __init__(self, model: nn.Module, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.model: Any = model.float()
        self.tokenizer = tokenizer
        training = self.training
        self.eval()
        with torch.no_grad():
            self.dimension = int(self(self.example()).shape[1])
        self.train(training)

    @property
    def transformer(self) -> Any:
        """The transformers model."""
        return self.model

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """What ``forward`` takes of some texts, ``[n, tokens]`` each."""
        return self.tokenizer(texts)

    def example(self) -> Tokens:
        """One short text, as the tower takes it."""
        device = next(self.parameters()).device
        return {name: value.to(device) for name, value in self.tokenize(["a"]).items()}

    def save(self, folder: Path) -> None:
        """Write the model in its library's format."""
        raise NotImplementedError


class SentenceTower(TextTower):
    """A sentence-transformers model, all its modules: pooling, projections, normalisation.

    Args:
        model: The ``SentenceTransformer``.

    Raises:
        InputError: It doesn't begin with a transformer, or leaves a prompt out of its pooling.
    """

    kind = "sentence-transformers"

    def __init__(self, model: Any) -> None:
        from transformers import PreTrainedTokenizerBase

        first, tokenizer = model[0], getattr(model[0], "tokenizer", None)
        if not (isinstance(tokenizer, PreTrainedTokenizerBase) and hasattr(first, "auto_model")):
            raise InputError(f"begins with {type(first).__name__}, not with a transformer of texts")
        prompt = model.prompts.get(model.default_prompt_name) or ""
        if prompt and not all(getattr(module, "include_prompt", True) for module in model):
            raise InputError("leaves its prompt out of its pooling, which is not supported")
        super().__init__(model, TextTokenizer(tokenizer, model.max_seq_length, prompt=prompt))

    @property
    def transformer(self) -> Any:
        """The transformers model."""
        return self.model[0].auto_model

    def forward(self, tokens: Tokens) -> Tensor:
        """Return ``[n, dimension]``."""
        vectors: Tensor = self.model(dict(tokens))["sentence_embedding"]  # a copy: its modules write into it
        return vectors

    def save(self, folder: Path) -> None:
        """Write the model as sentence-transformers does; it loads with that library alone."""
        self.model.save(os.fspath(folder), create_model_card=False)


class ClipTextTower(TextTower):
    """The text side of a CLIP-like model, with its projection.

    Args:
        model: The transformers text model.
        tokenizer: Its transformers tokenizer.

    Raises:
        InputError: It is not a text model.
    """

    kind = "transformers"

    def __init__(self, model: Any, tokenizer: Any) -> None:
        model_type = str(model.config.model_type)
        whole = any(model_type.startswith(name) for name in _PADDED_TO_MAXIMUM)
        length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        super().__init__(model, TextTokenizer(tokenizer, length, padding="max_length" if whole else "longest"))

    def forward(self, tokens: Tokens) -> Tensor:
        """Return ``[n, dimension]``: the model's projection into a shared space, or its pooled output."""
        output = self.model(**tokens)
        vectors: Tensor = output.text_embeds if hasattr(output, "text_embeds") else output.pooler_output
        return vectors

    def save(self, folder: Path) -> None:
        """Write the model and its tokenizer as transformers does; it loads with the class its config.json names."""
        self.model.save_pretrained(os.fspath(folder))
        self.tokenizer.tokenizer.save_pretrained(os.fspath(folder))


def load_text_tower(source: str, *, trust_remote_code: bool = False, name: str | None = None) -> TextTower:
    """Load a text tower.

    Args:
        source: A sentence-transformers model or a CLIP-like one: folder or hub id; a folder of a CLIP-like model's
            configuration and tokenizer, without weights, starts from scratch, from torch's random state.
        trust_remote_code: Whether code that comes with the model may run.
        name: What errors call the model; ``--text-model SOURCE`` if None.

    Raises:
        InputError: It can't be loaded, or is not a text model.
    """
    trust: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    with model_errors(name or f"--text-model {source}", "a text model"):
        if is_clip_like(source, **trust):
            return clip_text_tower(load_transformers(source, **trust), source, **trust)
        return SentenceTower(load_sentence_transformer(source, "cpu", **trust))


def clip_text_tower(model: Any, source: str, *, trust_remote_code: bool = False) -> ClipTextTower:
    """The text tower of a CLIP-like model that was loaded from ``source``, where its tokenizer is.

    Raises:
        InputError: It has no text side, or there is no tokenizer.
        Exception: Of transformers: the tokenizer can't be loaded.
    """
    tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
    return ClipTextTower(one_side(model, "text") if is_dual(model) else model, tokenizer)


def is_clip_like(source: str, *, trust_remote_code: bool = False) -> bool:
    """Whether the model in a folder, or of a hub id, is CLIP-like or one side of such a model, by its configuration.

    Raises:
        InputError: The model is nowhere, or may not be loaded.
    """
    if (as_path(resolve_model(source)) / "modules.json").is_file():
        return False
    try:
        config = load_config(source, trust_remote_code=trust_remote_code)
    except InputError:
        raise
    except Exception:  # sentence-transformers keeps some configurations deeper; what it says then is the better message
        return False
    both = hasattr(config, "text_config") and hasattr(config, "vision_config")
    return both or str(config.model_type).endswith("_text_model")
