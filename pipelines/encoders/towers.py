"""Encoders that are dual encoders: those of runs, and vision and CLIP-like models as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.artifacts import read_vectors
from pipelines.artifacts.matrix import Matrix, take
from pipelines.encoding import Encoding
from pipelines.errors import InputError
from pipelines.model_files import resolve_model, run_model
from pipelines.remote import as_path

if TYPE_CHECKING:  # these bring torch, which a file that is up to date doesn't need
    from pipelines.models import DualEncoder


def load_media_encoder(
    source: str,
    frames: int | None,
    chunk_seconds: float | None = None,
    *,
    trust_remote_code: bool = False,
    name: str | None = None,
) -> "DualEncoder":
    """The model that encodes media: a run's, or a vision or CLIP-like model without a projection, on the CPU.

    Args:
        source: Run folder; or folder or hub id of a model.
        frames: Frames to take from a clip, whose vector is the mean of theirs where the model sees one at a time; None
            with a run, which has its own number, and for a video model's own number.
        chunk_seconds: Length of the chunks that videos are cut into; None with a run, which has its own.
        trust_remote_code: Whether code that comes with the model may run.
        name: What errors call the model; ``--model SOURCE`` if None.

    Raises:
        InputError: It can't be loaded, has no weights, or is a run and ``frames`` is given.
    """
    from pipelines.models import DualEncoder, load_model, load_vision_tower
    from pipelines.models.loading import is_config_alone

    folder = run_model(source)
    if folder is not None:
        if frames is not None:
            raise InputError(f"--frames: {source} takes as many frames as it was trained with; leave it out")
        if chunk_seconds is not None:
            raise InputError(f"--chunk-seconds: {source} takes chunks as it was trained on; leave it out")
        return load_model(folder, trust_remote_code=trust_remote_code)
    name = name or f"--model {source}"
    tower = load_vision_tower(source, trust_remote_code=trust_remote_code, name=name)
    if is_config_alone(source):
        raise InputError(f"{name}: is a configuration without weights: its vectors would be random")
    tower.take_frames(frames)
    size = tower.dimension
    frames = tower.frames or frames
    return DualEncoder(size, size, size, "none", media_tower=tower, frames=frames, chunk_seconds=chunk_seconds).eval()


class TowerTexts:
    """The text side of a dual encoder, for texts.

    Args:
        model: The dual encoder, with a text tower.
        encoding: How to encode.
    """

    def __init__(self, model: "DualEncoder", encoding: Encoding) -> None:
        from pipelines.models import choose_device

        assert model.text_tower is not None
        self._device = choose_device(encoding.device)
        self._model = model.to(self._device)
        self._encoding = encoding
        self._tokenizer = model.text_tower.tokenizer
        self.dimension: int = model.dimension
        self.max_length: int | None = self._tokenizer.max_length

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts, in the given order: ``(n, d)``, as the model gives them."""
        from pipelines.models import encode_texts

        options: dict[str, Any] = {"precision": self._encoding.precision, "batch_size": self._encoding.batch_size}
        vectors: NDArray[np.float32] = encode_texts(self._model, texts, self._device, **options).numpy()
        return vectors

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts have more tokens than the tower reads."""
        return self._tokenizer.count_truncated(texts)


def load_text_encoder(source: str, encoding: Encoding, *, name: str | None = None) -> TowerTexts | None:
    """What encodes texts with a run or a CLIP-like model; None where the source is neither.

    Args:
        source: Run folder; or folder or hub id of a model.
        encoding: How to encode.
        name: What errors call the model; ``--model SOURCE`` if None.

    Raises:
        InputError: It can't be loaded, or is a run on embeddings.
    """
    folder = run_model(source)
    if folder is not None:
        from pipelines.models import load_model

        model = load_model(folder, trust_remote_code=encoding.trust_remote_code)
        if model.text_tower is None:
            raise InputError(
                f"{source}: was trained on {model.settings['text_inputs']}-dimensional embeddings of texts; give those "
                "of these annotations with --text"
            )
        return TowerTexts(model, encoding)
    if (as_path(resolve_model(source)) / "modules.json").is_file():
        return None
    from pipelines.models import DualEncoder, load_text_tower
    from pipelines.models.loading import model_errors
    from pipelines.models.text import is_clip_like

    name, trust = name or f"--model {source}", {"trust_remote_code": encoding.trust_remote_code}
    with model_errors(name, "a text model"):
        clip_like = is_clip_like(source, **trust)
    if not clip_like:
        return None
    tower = load_text_tower(source, name=name, **trust)
    size = tower.dimension
    return TowerTexts(DualEncoder(size, size, size, "none", text_tower=tower).eval(), encoding)


class MappedTexts:
    """Embeddings of texts through a run's head.

    Args:
        model: The run's model, which has no text tower.
        matrix_nd: The embeddings of the samples ``(n, d)``.
        encoding: How to encode.
    """

    def __init__(self, model: "DualEncoder", matrix_nd: Matrix, encoding: Encoding) -> None:
        from pipelines.models import choose_device

        self._device = choose_device(encoding.device)
        self._model = model.to(self._device)
        self._matrix_nd, self._precision = matrix_nd, encoding.precision
        self.dimension: int = model.dimension

    def vectors(self, rows: slice, dtype: str) -> NDArray[Any]:
        """``(b, d)`` vectors of some samples."""
        import torch

        from pipelines.models import encode_texts

        given = torch.from_numpy(self._matrix_nd[rows])
        return encode_texts(self._model, given, self._device, precision=self._precision).numpy().astype(dtype)


def load_mapped_texts(source: str, text: Path, ids: pa.ChunkedArray, encoding: Encoding, scratch: Path) -> MappedTexts:
    """What maps the embeddings of samples' texts through a run on embeddings; large ones are in the folder ``scratch``.

    Raises:
        InputError: The source is no such run, or the file lacks samples or has vectors of another size.
    """
    from pipelines.models import load_model, require_size

    folder = run_model(source)
    if folder is None:
        raise InputError(f"--text: is for a run on embeddings, which maps them, not for {source}; leave it out")
    model = load_model(folder, trust_remote_code=encoding.trust_remote_code)
    if model.text_tower is not None:
        raise InputError(f"--text: {source} has a text model, which reads the annotations' texts; leave it out")
    vectors = read_vectors(text, id_column="sample_id", only=ids, scratch=scratch)
    require_size(vectors.matrix_nd.shape[1], model.settings["text_inputs"], text, source)
    return MappedTexts(model, take(vectors.matrix_nd, vectors.rows_of(ids, "samples")), encoding)
