"""CLIP's tokenizer, which checkpoints leave out: of a folder, of the hub, or of the vocabulary in CLIP's repository."""

import gzip
from pathlib import Path
from typing import Any

from pipelines.artifacts.files import require_file
from pipelines.errors import InputError
from pipelines.models.loading import load_tokenizer, model_errors
from pipelines.remote import as_path

DEFAULT_TOKENIZER = "openai/clip-vit-base-patch32"
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_OF_FILES = (".gz", ".txt", ".json")
_MERGES = 49_152 - 256 - 2  # of the file's lines, after the first, those that CLIP uses
_START, _END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer(source: str | None) -> Any:
    """The tokenizer of CLIP models.

    Args:
        source: A folder with a tokenizer, a hub id, or CLIP's vocabulary ``bpe_simple_vocab_16e6.txt.gz``; that of
            OpenAI's models on the hub if None.

    Raises:
        InputError: It can't be had.
    """
    if source is None:
        try:
            return load_tokenizer(DEFAULT_TOKENIZER)
        except InputError as error:
            raise InputError(
                f"CLIP's tokenizer is neither here nor can it be downloaded; give --tokenizer {VOCABULARY}, of CLIP's "
                "or AVION's code, or the folder of a CLIP"
            ) from error
    path = as_path(source)
    if path.suffix in _OF_FILES and not path.exists():
        with model_errors("--tokenizer", "a file"):
            require_file(path)
    with model_errors(f"--tokenizer {source}", "a tokenizer"):
        return _of_merges(path) if path.is_file() else load_tokenizer(source)


def _of_merges(path: Path) -> Any:
    """CLIP's tokenizer of the merges that its vocabulary file lists.

    The ids are those of the bytes, of the bytes that end a word, of the merges in their order, and of start and end.
    """
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode("utf-8")
    merges = [line for line in text.split("\n")[1 : 1 + _MERGES] if line]
    if not merges or any(line.count(" ") != 1 for line in merges):
        raise InputError(f"is not CLIP's {VOCABULARY}: each line holds two parts of a word")
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{each}</w>" for each in letters), *(line.replace(" ", "") for line in merges), _START, _END]
    # Padding is id 0, as in CLIP's code.
    vocabulary = {word: row for row, word in enumerate(words)}
    pairs = [tuple(line.split(" ")) for line in merges]
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, pad_token=letters[0])
