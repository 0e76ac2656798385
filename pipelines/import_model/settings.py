"""What an import is told, checked before anything is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pipelines.artifacts.files import nearest
from pipelines.errors import InputError
from pipelines.remote import located

Origin = Literal["avion", "lavila", "openai-clip", "open_clip"]
ORIGINS: tuple[Origin, ...] = get_args(Origin)
Activation = Literal["gelu", "quick-gelu"]
NormStyle = Literal["openai", "timm"]

OF_VIDEOS = ("avion", "lavila")


@dataclass(frozen=True)
class ImportSettings:
    """Whose checkpoint is imported, and how.

    Attributes:
        origin: Whose it is.
        tokenizer: Folder, hub id or vocabulary; CLIP's of the hub if None.
        activation: Of an open_clip model without a configuration.
        frames: Frames of a clip; the checkpoint's if None.
        image_size: Side of the images, in pixels; the checkpoint's if None.
        config: open_clip's configuration of the model.
        norm_style: Pixel statistics of a video model, as AVION calls them; by what the checkpoint keeps of its training
            if None.

    Raises:
        InputError: The settings don't fit together.
    """

    origin: Origin
    tokenizer: str | None = None
    activation: Activation | None = None
    frames: int | None = None
    image_size: int | None = None
    config: Path | None = None
    norm_style: NormStyle | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.origin not in ORIGINS:
            raise InputError(
                f"--from {self.origin}: expected one of {', '.join(ORIGINS)}{nearest(self.origin, list(ORIGINS))}"
            )
        if self.origin != "open_clip" and self.activation is not None:
            raise InputError(f"--activation: that of {self.origin} is known; leave it out")
        if self.config is not None and self.activation is not None:
            raise InputError(f"--activation: {self.config.name}, beside the weights, says which it is; leave it out")
        if self.origin == "open_clip" and self.config is None and self.activation is None:
            raise InputError(
                "open_clip's weights don't tell their activation, and no open_clip_config.json is beside them; give "
                "--activation quick-gelu if the model's name ends in -quickgelu, else gelu"
            )
        if self.origin not in OF_VIDEOS and self.frames is not None:
            raise InputError(f"--frames: models of {self.origin} see one image at a time; leave it out")
        if self.origin not in OF_VIDEOS and self.norm_style is not None:
            raise InputError(f"--norm-style: pixel statistics of {self.origin} are known; leave it out")
        for flag, value in (("--frames", self.frames), ("--image-size", self.image_size)):
            if value is not None and value < 1:
                raise InputError(f"{flag} {value}: at least 1 was expected")

    @property
    def tokenizer_path(self) -> Path | None:
        """Where the tokenizer is on disk; None of a hub id."""
        path = None if self.tokenizer is None else located(self.tokenizer)
        return path if path is not None and path.exists() else None

    def parameters(self) -> dict[str, Any]:
        """What shapes the result, but for files."""
        return {
            "from": self.origin,
            "tokenizer": self.tokenizer if self.tokenizer_path is None else None,
            "activation": self.activation,
            "frames": self.frames,
            "image_size": self.image_size,
            "norm_style": self.norm_style,
        }
