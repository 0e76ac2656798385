"""What stands beside an exported model: tokenizer and image processor, as transformers loads them."""

import os
from pathlib import Path

from pipelines.models import DualEncoder
from pipelines.models.processors import PROCESSOR


def save_processors(model: DualEncoder, media_tower: Path, folder: Path) -> None:
    """Write the tokenizer, and copy the image processor, where there are such.

    Args:
        model: The dual encoder.
        media_tower: The folder of its media tower.
        folder: Where to write.
    """
    if model.text_tower is not None:
        tokenizer = model.text_tower.tokenizer.tokenizer
        tokenizer.model_max_length = model.text_tower.tokenizer.max_length
        tokenizer.save_pretrained(os.fspath(folder))
    if model.media_tower is not None:
        (folder / PROCESSOR).write_bytes((media_tower / PROCESSOR).read_bytes())
