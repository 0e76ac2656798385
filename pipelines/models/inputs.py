"""Media as a dual encoder takes them, in one pass."""

from pathlib import Path

from pipelines.errors import InputError
from pipelines.media import FeatureMedia, MediaList, MediaSource, View, open_media
from pipelines.models.dual_encoder import DualEncoder


def open_inputs(
    model: DualEncoder, path: Path | None, media: MediaList, name: str | Path, scratch: Path | None = None
) -> MediaSource:
    """Open media for a model that is to see each once.

    Args:
        model: The dual encoder.
        path: Where media are, see ``open_media``.
        media: The media wanted, in this order.
        name: What the user calls the model.
        scratch: A folder for features that are too large for memory, see ``open_media``.

    Raises:
        InputError: Media are missing, can't be read, or are not of the kind or size that the model takes.
    """
    tower = model.media_tower
    if tower is not None:
        settings = model.settings
        view = View(
            tower.image_size,
            settings["frames"],
            chunk_seconds=settings["chunk_seconds"],
            shortest_edge=tower.shortest_edge,
        )
        return open_media(path, media, view=view, cache_bytes=0)
    if path is None:
        raise InputError(f"--media annotations: {name} was trained on features; give their file")
    source = open_media(path, media, view=None, scratch=scratch)
    assert isinstance(source, FeatureMedia)
    require_size(source.dimension, model.settings["media_inputs"], path, name)
    return source


def require_size(found: int, wanted: int, path: Path, name: str | Path) -> None:
    """Check that the vectors of a file have the size that a model was trained on.

    Raises:
        InputError: They haven't.
    """
    if found != wanted:
        raise InputError(
            f"{path}: holds {found}-dimensional vectors, but {name} was trained on {wanted}-dimensional ones"
        )
