"""Media that are there but can't be decoded."""

from collections.abc import Mapping, Sequence

from pipelines.errors import InputError


class MissingMediaError(InputError):
    """Media are not where they should be.

    Args:
        message: What is said of it.
        media_ids: The media.
    """

    def __init__(self, message: str, media_ids: Sequence[str]) -> None:
        self.media_ids = media_ids
        super().__init__(message)

    def __reduce__(self) -> tuple[type["MissingMediaError"], tuple[str, Sequence[str]]]:
        """Exceptions pickle their message alone."""
        return type(self), (str(self), self.media_ids)


class BadMediaError(InputError):
    """Media can't be decoded: mended or replaced, they would let the work go on."""


class DamagedMediumError(BadMediaError):
    """One medium can't be decoded; others may be fine.

    Args:
        what: File the medium is in and kind of medium: ``images.zip: image``.
        media_id: The medium.
        reason: What the decoder said.
    """

    def __init__(self, what: str, media_id: str, reason: object) -> None:
        self.what = what
        self.media_id = media_id
        self.reason = " ".join(str(reason).split())[:180] or type(reason).__name__
        super().__init__(f"{what} {media_id} can't be decoded ({self.reason})")

    def __reduce__(self) -> tuple[type["DamagedMediumError"], tuple[str, str, str]]:
        """Exceptions pickle their message alone, which isn't what this one is made of; workers send it whole."""
        return type(self), (self.what, self.media_id, self.reason)


def require_few_damaged(reasons: Mapping[str, str], max_bad: int | None) -> None:
    """Check that no more media are damaged than may be.

    Args:
        reasons: What is wrong with each, by media id.
        max_bad: Most media that may be damaged; None for none.

    Raises:
        BadMediaError: There are more.
    """
    if len(reasons) > (max_bad or 0):
        raise BadMediaError(
            f"--max-bad {max_bad}: {len(reasons)} media can't be decoded, first: {', '.join(list(reasons)[:3])}; mend "
            "or replace them, or raise --max-bad"
        )
