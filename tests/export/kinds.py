"""Runs of every kind, trained for an epoch, and what each makes of the test split."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from tiny_models import write_clip, write_sentence_model
from tiny_videos import make_video
from tiny_world import TinyWorld, write_tower_config

from pipelines.artifacts import read_annotations
from pipelines.media import View, media_list, open_media
from pipelines.models import encode_media, encode_texts, load_model
from pipelines.train import TrainConfig, train

CPU = torch.device("cpu")
SENTENCE_POOLING = ("cls", "mean", "lasttoken")


def train_kind(world: TinyWorld, kind: str) -> Path:
    """Train a run of a kind in the world's folder, for an epoch."""
    models, images = world.folder / "models", world.images()
    vit = {"media": images, "media_model": str(write_tower_config(models / "vit", "vit"))}
    resnet = {"media": images, "media_model": str(write_tower_config(models / "resnet", "resnet"))}
    options: dict[str, Any]
    if kind == "features":
        options = {}
    elif kind == "pixels":
        options = {**vit, "projection": "mlp"}
    elif kind == "sentences":
        model = write_sentence_model(models, pooling=SENTENCE_POOLING, dense=True)
        options = {**resnet, "text": None, "text_model": str(model), "projection": "mlp"}
    elif kind in ("clip", "siglip", "clip with heads"):
        model = str(write_clip(models / kind.split()[0], kind.split()[0]))
        options = {"media": images, "media_model": model, "text": None, "text_model": model}
        if "heads" not in kind:
            options |= {"projection": "none", "dimension": None}
    elif kind in ("xclip", "divided"):
        model = str(make_video(models / kind, kind))
        texts = {"text": None, "text_model": model} if kind == "xclip" else {}
        clips = {"media": Path("annotations"), "annotations": write_clips(world), "workers": 0, "frames": 6}
        options = {**clips, "media_model": model, **texts}
    else:
        assert kind == "clips"
        options = {**vit, "media": Path("annotations"), "annotations": write_clips(world)}
        options |= {"frames": 3, "pooling": "attention", "workers": 0}
    values = {**world.config("unused").model_dump(exclude_defaults=True), "epochs": 1, "warmup_epochs": None, **options}
    folder = world.folder / f"run {kind}"
    train(TrainConfig(**{**{name: value for name, value in values.items() if value is not None}, "output": folder}))
    return folder


def write_clips(world: TinyWorld) -> Path:
    """Write a film of each medium, and annotations that name them."""
    import av

    folder = world.folder / "films"
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(3)
    for media_id in world.media_ids:
        with av.open(str(folder / f"{media_id}.avi"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 16
            stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 25)
            for number in range(6):
                pixels = np.broadcast_to(random.integers(0, 255, 3, np.uint8), (16, 16, 3))
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                frame.time_base, frame.pts = Fraction(1, 25), number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    def with_media(table: pa.Table) -> pa.Table:
        files = [str(folder / f"{media_id}.avi") for media_id in table.column("media_id").to_pylist()]
        return table.append_column("media", pa.array(files))

    return world.rewrite("annotations", with_media, to="films.parquet")


@dataclass(frozen=True)
class TestSplit:
    """What a run's model takes of the test split, and the vectors it gives.

    Attributes:
        media: Features, or pixels from 0 to 255.
        texts: Text embeddings, or texts.
        media_nd: The run's vectors of the media.
        text_nd: The run's vectors of the texts.
    """

    __test__ = False

    media: np.ndarray
    texts: np.ndarray
    media_nd: np.ndarray
    text_nd: np.ndarray


def encode_test_split(world: TinyWorld, run: Path) -> TestSplit:
    """Encode the test split as `mmts eval` does."""
    model = load_model(run / "model")
    path = world.folder / "films.parquet" if model.settings["frames"] else world.annotations
    table = read_annotations(path)
    table = table.filter(pa.compute.equal(table.column("split"), "test"))
    tower = model.media_tower
    frames = model.settings["frames"]
    view = None if tower is None else View(tower.image_size, frames, shortest_edge=tower.shortest_edge)
    where = world.media if view is None else None if view.frames else world.folder / "images"
    media = open_media(where, media_list(table, path), view=view)
    texts: Any = table.column("text").to_pylist()
    if model.text_tower is None:
        texts = torch.from_numpy(np.stack([world.texts[each] for each in table.column("sample_id").to_pylist()]))
    return TestSplit(
        media.batch(torch.arange(len(media.ids))).numpy(),
        texts.numpy() if isinstance(texts, torch.Tensor) else np.array(texts),
        encode_media(model, media, CPU).numpy(),
        encode_texts(model, texts, CPU).numpy(),
    )
