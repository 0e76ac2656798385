"""New texts and media through a run's model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.artifacts.files import require_file
from pipelines.artifacts.ids import shortened
from pipelines.artifacts.places import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from pipelines.encoders.sentences import SentenceEncoder
from pipelines.encoders.towers import load_media_encoder, load_text_encoder
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.media import MediaList
from pipelines.models import DualEncoder, choose_device, encode_media, encode_texts, load_model, open_inputs
from pipelines.progress import SILENT, Progress
from pipelines.runs.makers import Maker, maker_of

FloatMatrix = NDArray[np.float32]
_TEXTS_AT_ONCE = 64


class RunEncoder:
    """A run's model, for texts and media that the run has never seen.

    A run with towers reads texts, images and clips itself. A run on embeddings or features has only heads: a new text
    goes through the model that made the embeddings first, as ``mmts embed`` did (the same model, precision, dtype and
    normalisation, by what the embeddings file says of itself), and a new image through the one that made the features.
    Such a model is loaded when it is first needed.

    Args:
        run: Folder of a complete run.
        encoding: Device, precision of the run's model, texts or media in one forward pass.
        progress: Where to report.

    Attributes:
        run: The folder.
        model: The dual encoder, on its device, in evaluation mode.
        device: Where it encodes.

    Raises:
        InputError: The folder has no model, or it isn't as its training left it.

    Example::

        encoder = RunEncoder(Path("run"))
        text_md = encoder.texts(["a photo of a dog", "a photo of a cat"])
        media_nd = encoder.media([Path("rex.jpg")])
        media_nd @ text_md.T  # cosines, (1, 2)
    """

    def __init__(self, run: Path, encoding: Encoding = AS_IT_COMES, progress: Progress = SILENT) -> None:
        self.run = run
        self.encoding = encoding
        self.progress = progress
        self.device = choose_device(encoding.device)
        trust = encoding.trust_remote_code
        self.model: DualEncoder = load_model(run / "model", trust_remote_code=trust).to(self.device)
        self._sentences: _Sentences | None = None
        self._pictures: tuple[DualEncoder, Maker] | None = None

    def texts(self, texts: Sequence[str]) -> FloatMatrix:
        """Encode new texts.

        Args:
            texts: n texts.

        Returns:
            ``(n, d)`` float32, rows of length 1, in the order given.

        Raises:
            InputError: A text is empty; or the run was trained on embeddings and their model isn't known or can't be
                loaded.
        """
        for text in texts:
            if not text.strip():
                raise InputError(f"text {shortened(repr(text))}: is empty; give words")
        given: Any = list(texts)
        if self.model.text_tower is None:
            if self._sentences is None:
                self._sentences = _Sentences(self.run, self.encoding)
            given = torch.from_numpy(self._sentences.vectors(texts))
        options: dict[str, Any] = {"precision": self.encoding.precision, "batch_size": self.encoding.batch_size}
        return _unit(encode_texts(self.model, given, self.device, progress=self.progress, **options))

    def media(self, files: Sequence[Path]) -> FloatMatrix:
        """Encode new images, or clips for a run on clips.

        Args:
            files: n files.

        Returns:
            ``(n, d)`` float32, rows of length 1, in the order given.

        Raises:
            InputError: A file can't be read, or isn't an image (a clip); or the run was trained on features and the
                model that made them isn't known or can't be loaded.
        """
        if self.model.media_tower is not None:
            return _unit(self._pixels(self.model, files, self.encoding))
        if self._pictures is None:
            self._pictures = self._features_model()
        source, maker = self._pictures
        features_nd = self._pixels(source, files, self._as_made(maker)).numpy().astype(maker.dtype)
        with torch.no_grad():  # few rows through a small head: full precision costs nothing
            given_nd = torch.from_numpy(features_nd.astype(np.float32)).to(self.device)
            return _unit(self.model.embed_media(given_nd))

    def _pixels(self, model: DualEncoder, files: Sequence[Path], encoding: Encoding) -> torch.Tensor:
        clips = model.settings["frames"] is not None
        for file in files:
            require_file(file)
            if file.suffix.lower() in (IMAGE_SUFFIXES if clips else VIDEO_SUFFIXES):
                raise InputError(f"{file}: {self.run} was trained on {'video clips' if clips else 'images'}; give one")
        names = [str(file) for file in files]
        media = open_inputs(model, None, MediaList(names, list(names)), self.run)
        options: dict[str, Any] = {"precision": encoding.precision, "batch_size": encoding.batch_size}
        workers = encoding.workers
        return encode_media(model, media, self.device, workers=workers, progress=self.progress, **options)

    def _features_model(self) -> tuple[DualEncoder, Maker]:
        remedy = "give a text instead"
        maker = maker_of(self.run, "media", remedy)
        model = load_media_encoder(
            maker.model, maker.frames, trust_remote_code=self.encoding.trust_remote_code, name=f"model {maker.model}"
        )
        if model.media_tower is None:
            raise InputError(f"{self.run}: its features were made of other features, not of images; {remedy}")
        return model.to(self.device), maker

    def _as_made(self, maker: Maker) -> Encoding:
        return Encoding(self.encoding.device, maker.precision, self.encoding.batch_size, self.encoding.workers)


class _Sentences:
    """The model of texts that made the embeddings a run was trained on.

    Raises:
        InputError: It isn't known, or can't be loaded.
    """

    def __init__(self, run: Path, encoding: Encoding) -> None:
        maker = maker_of(run, "text", "embed the texts again with `mmts embed`, and train on that")
        trust, name = encoding.trust_remote_code, f"model {maker.model}"
        batch_size = encoding.batch_size or _TEXTS_AT_ONCE
        made = Encoding(encoding.device, maker.precision, batch_size, trust_remote_code=trust)
        self._encoder = load_text_encoder(maker.model, made, name=name) or SentenceEncoder(
            maker.model, device=encoding.device, batch_size=batch_size, trust_remote_code=trust, name=name
        )
        self._dtype = maker.dtype

    def vectors(self, texts: Sequence[str]) -> FloatMatrix:
        """``(n, d)``, as the embeddings file holds them."""
        return self._encoder.encode(texts).astype(self._dtype).astype(np.float32)


def _unit(vectors_nd: torch.Tensor) -> FloatMatrix:
    unit_nd: FloatMatrix = torch.nn.functional.normalize(vectors_nd.float(), dim=1).cpu().numpy()
    return unit_nd
