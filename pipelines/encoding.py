"""How media and texts are encoded; apart from the models, so that saying it needs no torch."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipelines.errors import InputError

Precision = Literal["32", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class Encoding:
    """How media and texts are encoded.

    Attributes:
        device: Torch device; a GPU where there is one if None.
        precision: Precision of the forward pass, as in training; alone of these it changes more than rounding.
        batch_size: Media or texts in one forward pass; by their kind if None.
        workers: Processes that decode media; by the device if None, see `decoding_workers`.
        max_bad: Media that may turn out damaged; they are left out. One more is an error. None where no flag may let
            any be, as for a published test set.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        InputError: A value is out of range.
    """

    device: str | None = None
    precision: Precision = "32"
    batch_size: int | None = None
    workers: int | None = None
    max_bad: int | None = 0
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.precision not in get_args(Precision):
            raise InputError(f"--precision {self.precision}: expected one of {', '.join(get_args(Precision))}")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"--batch-size {self.batch_size}: expected at least 1")
        for flag, value in (("--workers", self.workers), ("--max-bad", self.max_bad)):
            if value is not None and value < 0:
                raise InputError(f"{flag} {value}: expected at least 0")

    def require_effect(self, *, on_pixels: bool) -> None:
        """Refuse options of decoding where nothing is decoded.

        Raises:
            InputError: One is given, and media are no images or clips.
        """
        for flag, value in (("--workers", self.workers), ("--max-bad", self.max_bad)):
            if value and not on_pixels:
                raise InputError(f"{flag}: is for images and clips, which are decoded; leave it out")

    def record(self) -> dict[str, Any]:
        """What a file's footer says of the encoding, beside the model: what may change more than rounding."""
        trusted = {"trust_remote_code": True} if self.trust_remote_code else {}
        return {"precision": self.precision, **trusted}


AS_IT_COMES = Encoding()
