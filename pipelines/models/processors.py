"""What the processor beside a vision model does to pixels: their size and normalisation."""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts.files import read_json
from pipelines.errors import InputError

PROCESSOR = "preprocessor_config.json"
# Where transformers keeps them, by file, and the part of the file that holds one where it holds several.
_PLACES = (
    ("video_preprocessor_config.json", None),
    (PROCESSOR, None),
    ("processor_config.json", "video_processor"),
    ("processor_config.json", "image_processor"),
)
# Processors of these kinds take 1 from the pixels before they normalise them, unless they say otherwise.
_CENTRE = ("VivitVideoProcessor", "VivitImageProcessor")
# Processors that are told the share of an image to keep, crop_pct, scale smaller ones by it, as ConvNeXt's does.
_CUT_BELOW = 384


def read_processor(folder: Path) -> dict[str, Any]:
    """The settings of the processor in a model's folder; none where there is no processor."""
    for name, part in _PLACES:
        found: Any = read_json(folder / name) if (folder / name).is_file() else {}
        found = found.get(part) if part is not None and isinstance(found, dict) else found
        if isinstance(found, dict) and found:
            return found
    return {}


def normalisation(processor: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each colour channel, of pixels from 0 to 1, that a processor's settings amount to.

    Processors scale pixels by a factor of their own, some move them by 1, and then normalise them, or don't.
    """
    mean, std = (list(processor.get(name, [0.5] * 3)) for name in ("image_mean", "image_std"))
    if processor.get("do_normalize") is False:
        mean, std = [0.0] * len(mean), [1.0] * len(std)
    rescales = processor.get("do_rescale") is not False
    scale = 255 * processor.get("rescale_factor", 1 / 255) if rescales else 255.0
    kind = processor.get("video_processor_type") or processor.get("image_processor_type")
    offset = 1.0 if rescales and processor.get("offset", kind in _CENTRE) else 0.0
    return [(each + offset) / scale for each in mean], [each / scale for each in std]


def framing(processor: dict[str, Any]) -> tuple[int | None, int | None]:
    """The side of the squares that a processor cuts, and of the shorter side it scales images to before, in pixels.

    Either is None where its settings don't say.

    Raises:
        InputError: It gives no squares.
    """
    scaled = None if processor.get("do_resize") is False else _side(processor, "size")
    crop = None if processor.get("do_center_crop") is False else _side(processor, "crop_size")
    share = processor.get("crop_pct")
    if scaled and share and scaled < _CUT_BELOW:
        return crop or scaled, int(scaled / share)
    return crop or scaled, scaled


def _side(processor: dict[str, Any], name: str) -> int | None:
    """The only side there is in a size of a processor's settings."""
    size = processor.get(name)
    if not isinstance(size, dict):
        return size
    said = {key: value for key, value in size.items() if value is not None}
    if len(set(said.values())) > 1 or list(said) == ["longest_edge"]:
        sides = " and ".join(f"{key} {value}" for key, value in said.items())
        raise InputError(f"its processor's {name} is {sides[:80]}; mmts shows a model squares")
    return next(iter(said.values()), None)


def write_processor(
    folder: Path, size: int, mean: list[float], std: list[float], shortest_edge: int | None = None
) -> None:
    """Write the image processor of a model's folder: it prepares images, and frames of clips, as ours are.

    Args:
        folder: The folder.
        size: Side of the images, in pixels.
        mean: Mean of each colour channel, of pixels from 0 to 1.
        std: Standard deviation of each.
        shortest_edge: Pixels that the shorter side is scaled to before the square is cut; ``size`` if None.
    """
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": shortest_edge or size},
        "resample": 3,  # bicubic
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }
    (folder / PROCESSOR).write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")
