"""What the processor beside a vision model does to pixels: their size and normalisation."""

import json
from pathlib import Path
from typing import Any

from pipelines.artifacts.files import read_json

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


def processed_size(processor: dict[str, Any]) -> int | None:
    """The side of the images that a processor gives, in pixels; None where its settings don't say."""
    size = processor.get("crop_size") or processor.get("size")
    return max(size.values()) if isinstance(size, dict) else size


def write_processor(folder: Path, size: int, mean: list[float], std: list[float]) -> None:
    """Write the image processor of a model's folder: it prepares images, and frames of clips, as ours are.

    Args:
        folder: The folder.
        size: Side of the images, in pixels.
        mean: Mean of each colour channel, of pixels from 0 to 1.
        std: Standard deviation of each.
    """
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": size},
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
