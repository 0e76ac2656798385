"""``prepare flickr30k``: Karpathy's ``dataset_flickr30k.json``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.annotations import links
from pipelines.annotations.captioned_images import captions_table, read_karpathy
from pipelines.annotations.checks import Checks

# Images and captions of Karpathy's splits.
PUBLISHED = {"train": (29_000, 145_000), "val": (1_014, 5_070), "test": (1_000, 5_000)}


def read(files: Mapping[str, Path], splits: Sequence[str], checks: Checks) -> pa.Table:
    """One row a caption: ``sample_id`` is ``IMAGE#n``, ``media_id`` the image's file name.

    Raises:
        InputError: The file can't be used, or counts differ from the published ones.

    Source:
        Young et al., From image descriptions to visual denotations (2014); splits of Karpathy and Fei-Fei (2015).
    """
    (path,) = files.values()
    return captions_table(read_karpathy(path), splits, PUBLISHED, path, checks)


def link(table: pa.Table, root: Path, checks: Checks) -> pa.Table:
    """Link samples to images below ``root``, or in a zip."""
    return links.link(table, table.column("media_id").to_pylist(), links.images(root), root, checks)
