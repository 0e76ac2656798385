"""A command line that imports a checkpoint."""

import pytest
from small_avion import write_vocabulary


@pytest.fixture
def line(tmp_path):
    """A command line that imports ``weights.pt``, with CLIP's vocabulary."""
    vocabulary = write_vocabulary(tmp_path)

    def words(origin: str, *more: object, checkpoint: str = "weights.pt") -> list[object]:
        given = ["models", "import", tmp_path / checkpoint, "--from", origin, "-o", tmp_path / "model"]
        return [*given, *(() if "--tokenizer" in more else ("--tokenizer", vocabulary)), *more]

    return words
