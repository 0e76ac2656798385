"""A small consistent world: media and captions from common latent vectors, so that training on it learns."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from pipelines.artifacts import ArtifactWriter, Provenance, vector_type
from pipelines.train import TrainConfig

SPLITS = {"train": 48, "val": 20, "test": 24}
CAPTIONS = 2
CLUSTER_SIZES = (4, 12, 24, 56)
SHIFTS = (0.05, 0.0625, 0.08, 0.125)
FEATURE_SIZE, TEXT_SIZE = 12, 10
_LATENT_SIZE = 6
_IMAGE_SIZE = 16

_DEFAULTS: dict[str, Any] = {
    "temperature": "fixed",
    "tau": 0.1,
    "epochs": 2,
    "batch_size": 16,
    "dimension": 8,
    "lr": 0.01,
    "device": os.environ.get("MMTS_TEST_DEVICE", "cpu"),
}


TOWERS: dict[str, dict[str, Any]] = {
    "resnet": {
        "model_type": "resnet",
        "image_size": _IMAGE_SIZE,
        "embedding_size": 4,
        "hidden_sizes": [4, 8],
        "depths": [1, 1],
        "layer_type": "basic",
    },
    "vit": {
        "model_type": "vit",
        "image_size": _IMAGE_SIZE,
        "patch_size": 8,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    },
}


@dataclass(frozen=True)
class TinyWorld:
    """Where its files are, and what they hold by id. No file has the rows in the order of another."""

    folder: Path
    media_ids: list[str]
    sample_ids: list[str]
    split: dict[str, str]
    features: dict[str, np.ndarray]
    texts: dict[str, np.ndarray]
    cluster: dict[str, int]
    write: Callable[..., Path]

    def __getattr__(self, name: str) -> Path:
        """``annotations``, ``media``, ``text``, ``shifts``, ``clusters``: the files."""
        path: Path = self.folder / f"{name}.parquet"
        if not path.exists():
            raise AttributeError(name)
        return path

    def samples(self, split: str) -> list[str]:
        return [sample_id for sample_id in self.sample_ids if self.split[sample_id] == split]

    def media_of(self, sample_id: str) -> str:
        return sample_id.removesuffix(sample_id[-2:])

    def config(self, output: str | Path, **changes: Any) -> TrainConfig:
        """A training configuration with these changes to the defaults; None leaves a default out."""
        values = {name: value for name, value in {**_DEFAULTS, **changes}.items() if value is not None}
        files = {"annotations": self.annotations, "media": self.media, "text": self.text}
        files = {name: path for name, path in files.items() if changes.get(name, path) is not None}
        return TrainConfig(**{"output": self.folder / output, **files, **values})

    def command(self, output: str | Path, **changes: Any) -> list[str]:
        """The same as a command line."""
        values = {"media": self.media, "text": self.text, **_DEFAULTS, **changes}
        flags = [
            part
            for name, value in values.items()
            if value is not None and name != "annotations"
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        return ["train", str(changes.get("annotations", self.annotations)), "-o", str(self.folder / output), *flags]

    def rewrite(self, name: str, change: Callable[[pa.Table], pa.Table], to: str | None = None) -> Path:
        """Write a file with another content."""
        import pyarrow.parquet as pq

        source = self.folder / f"{name}.parquet"
        return self.write(self.folder / to if to else source, change(pq.read_table(source).replace_schema_metadata()))

    def images(self, name: str = "images") -> Path:
        """A folder with the media as pictures, of three sizes; a zip of them if the name ends so."""
        folder = self.folder / "images"
        folder.mkdir(exist_ok=True)
        for row, media_id in enumerate(self.media_ids):
            colour = np.clip(128 + 50 * self.features[media_id][:3], 0, 255).astype(np.uint8)
            stripe = np.clip(128 + 50 * self.features[media_id][3:6], 0, 255).astype(np.uint8)
            width = _IMAGE_SIZE + 4 * (row % 3)
            pixels = np.broadcast_to(colour, (_IMAGE_SIZE, width, 3)).copy()
            pixels[::4] = stripe
            Image.fromarray(pixels).save(folder / media_id)
        if not name.endswith(".zip"):
            return folder
        with zipfile.ZipFile(self.folder / name, "w") as archive:
            for file in sorted(folder.iterdir(), reverse=True):
                archive.write(file, file.name)
        return self.folder / name


def write_artifact(path: Path, columns: dict[str, Any] | pa.Table) -> Path:
    """Write a table as a stage would: with a footer, so that reading it gives no warning."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    digest = hashlib.sha256(repr(table.to_pydict()).encode()).hexdigest()[:32]
    with ArtifactWriter(path, table.schema, Provenance("test", digest, {}, {})) as writer:
        writer.write(table)
    return path


def make_tiny_world(folder: Path, write: Callable[..., Path]) -> TinyWorld:
    """Write annotations, text, media, clusters and shifts to a folder."""
    random = np.random.default_rng(0)
    media_ids = [f"m{row:02d}.png" for row in range(sum(SPLITS.values()))]
    split_of = dict(zip(media_ids, np.repeat(list(SPLITS), list(SPLITS.values())).tolist(), strict=True))
    latent = {media_id: random.standard_normal(_LATENT_SIZE) for media_id in media_ids}
    to_media = random.standard_normal((_LATENT_SIZE, FEATURE_SIZE))
    to_text = random.standard_normal((_LATENT_SIZE, TEXT_SIZE))

    def seen(vector: np.ndarray, through: np.ndarray) -> np.ndarray:
        return (vector @ through + 0.1 * random.standard_normal(through.shape[1])).astype(np.float32)

    sample_ids = [f"{media_id}#{caption}" for media_id in media_ids for caption in range(CAPTIONS)]
    media_of = {sample_id: sample_id[:-2] for sample_id in sample_ids}
    features = {media_id: seen(latent[media_id], to_media) for media_id in media_ids}
    texts = {sample_id: seen(latent[media_of[sample_id]], to_text) for sample_id in sample_ids}
    drawn = dict(zip(media_ids, random.choice(4, len(media_ids), p=(0.1, 0.2, 0.3, 0.4)).tolist(), strict=True))
    cluster = {sample_id: drawn[media_of[sample_id]] for sample_id in sample_ids}
    split = {sample_id: split_of[media_of[sample_id]] for sample_id in sample_ids}

    def shuffled(ids: list[str]) -> list[str]:
        return [ids[row] for row in random.permutation(len(ids))]

    def vectors(ids: list[str], of: dict[str, np.ndarray]) -> pa.Array:
        return pa.array([of[each].tolist() for each in ids], vector_type(len(of[ids[0]])))

    order = shuffled(sample_ids)
    write(
        folder / "annotations.parquet",
        {
            "sample_id": order,
            "text": [f"caption {each}" for each in order],
            "media_id": [media_of[each] for each in order],
            "split": [split[each] for each in order],
        },
    )
    order = shuffled(sample_ids)
    write(folder / "text.parquet", {"sample_id": order, "embedding": vectors(order, texts)})
    order = shuffled(media_ids)
    write(folder / "media.parquet", {"media_id": order, "embedding": vectors(order, features)})
    order = shuffled(sample_ids)
    sizes = [CLUSTER_SIZES[cluster[each]] for each in order]
    write(
        folder / "clusters.parquet",
        {"sample_id": order, "cluster": pa.array([cluster[each] for each in order], pa.int32()), "cluster_size": sizes},
    )
    order = shuffled(sample_ids)
    write(
        folder / "shifts.parquet",
        {
            "sample_id": order,
            "shift": pa.array([SHIFTS[cluster[each]] for each in order], pa.float32()),
            "cluster_size": [CLUSTER_SIZES[cluster[each]] for each in order],
        },
    )
    return TinyWorld(folder, media_ids, sample_ids, split, features, texts, cluster, write)


def write_tower_config(folder: Path, name: str) -> Path:
    """Write the configuration of a tiny vision model, without weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TOWERS[name]))
    return folder
