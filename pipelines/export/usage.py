"""Code for a model card: how an exported folder is loaded and used. A test runs all of it."""

from dataclasses import dataclass
from typing import Literal

from pipelines.export.markdown import python_string
from pipelines.export.run import Run

PROCESSOR_NOTE = (
    "In training, JPEGs more than twice as large as the tower's images were decoded at a reduced size; an image "
    "processor decodes them whole, so their vectors differ a little."
)


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes:
        media: Kind of its media.
        texts: Kind of its texts.
        media_size: Size of a media feature, where media are such.
        text_size: Size of a text embedding, where texts are such.
        frames: Frames of a clip, where media are such.
        padding: How texts are padded.
        prompt: What is put before each text.
    """

    media: Literal["features", "images", "clips"]
    texts: Literal["embeddings", "tokens"]
    media_size: int
    text_size: int
    frames: int | None
    padding: str
    prompt: str

    @classmethod
    def of(cls, run: Run) -> "Inputs":
        """What a run's model takes."""
        model = run.model
        text = model.text_tower
        return cls(
            media="features" if model.media_tower is None else "clips" if run.takes_clips else "images",
            texts="embeddings" if text is None else "tokens",
            media_size=model.settings["media_inputs"],
            text_size=model.settings["text_inputs"],
            frames=model.settings["frames"],
            padding="longest" if text is None else text.tokenizer.padding,
            prompt="" if text is None else text.tokenizer.prompt,
        )

    def notes(self) -> list[str]:
        """What a user of processors and tokenizers should know, a sentence each."""
        notes = [] if self.media == "features" else [PROCESSOR_NOTE]
        if self.texts == "embeddings":
            notes.append(f"Texts are embeddings of {self.text_size} dimensions, as the run was trained on.")
        if self.prompt:
            notes.append(f"Before each text goes the prompt {self.prompt!r}.")
        return notes

    def media_code(self, name: str, tensors: str) -> list[str]:
        """Lines that make ``media``: of one medium, as ``"pt"`` or ``"np"``."""
        if self.media == "features":
            made = "torch.randn" if tensors == "pt" else "numpy.random.default_rng(0).standard_normal"
            kind = "" if tensors == "pt" else ', dtype="float32"'
            return [f"media = {made}((1, {self.media_size}){kind})  # the features of one medium"]
        lines = [f"processor = AutoImageProcessor.from_pretrained({python_string(name)})"]
        images = '[Image.open("image.jpg")]'
        if self.media == "clips":
            images += f" * {self.frames}"
        lines.append(f'media = processor(images={images}, return_tensors="{tensors}")["pixel_values"]')
        if self.media == "clips":
            lines.append("media = media[None]  # the frames of one clip")
        return lines

    def text_code(self, name: str, tensors: str) -> list[str]:
        """Lines that make ``texts``: of one text, as ``"pt"`` or ``"np"``."""
        if self.texts == "embeddings":
            made = "torch.randn" if tensors == "pt" else "numpy.random.default_rng(0).standard_normal"
            kind = "" if tensors == "pt" else ', dtype="float32"'
            return [f"texts = {made}((1, {self.text_size}){kind})  # the embedding of one text"]
        return [
            f"tokenizer = AutoTokenizer.from_pretrained({python_string(name)})",
            f'texts = tokenizer([{python_string(self.prompt + "a dog in the snow")}], padding="{self.padding}", '
            f'truncation=True, return_tensors="{tensors}")',
        ]

    def imports(self, library: str, *names: str) -> list[str]:
        """The lines that import what the code of ``library`` (and of transformers) uses."""
        used = [*names]
        if self.media != "features":
            used.append("AutoImageProcessor")
        if self.texts == "tokens":
            used.append("AutoTokenizer")
        lines = [f"import {library}"]
        if self.media != "features":
            lines.append("from PIL import Image")
        if used:
            lines.append(f"from transformers import {', '.join(sorted(used))}")
        return [*lines, ""]
