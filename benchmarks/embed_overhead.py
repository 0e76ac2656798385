"""What `mmts embed` adds to its model: the whole run over the time inside the model's own calls, of texts and of media.

Both are of the same run and the same batches, so that a busy machine hits both alike. The model is loaded beforehand in
neither. Inside, for media, is decoding too; outside are finding what is distinct, the parts that a killed run goes on
from, synced to the disk, and the output. Aim: at most 1.05.

    python benchmarks/embed_overhead.py [--texts 4000] [--media 2000] [--repeats 3]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from figures import figure
from PIL import Image
from transformers import ResNetConfig, ResNetModel

import pipelines.models
from pipelines.embed import embed, embed_media
from pipelines.embed import stage as text_stage
from pipelines.encoders.sentences import SentenceEncoder
from pipelines.encoders.towers import load_media_encoder

SIDE = 160
WORDS = [
    "red",
    "cup",
    "on",
    "a",
    "table",
    "dog",
    "runs",
    "over",
    "green",
    "grass",
    "near",
    "old",
    "house",
    "two",
    "men",
]


def write_data(folder: Path, texts: int, media: int) -> None:
    random = np.random.default_rng(0)
    captions = [f"{' '.join(random.choice(WORDS, 9))} {row}" for row in range(texts)]
    pq.write_table(pa.table({"sample_id": captions, "text": captions}), folder / "texts.parquet")
    ids = [f"m{row}.jpg" for row in range(media)]
    pq.write_table(pa.table({"sample_id": ids, "text": ids, "media_id": ids}), folder / "media.parquet")
    (folder / "images").mkdir()
    for name in ids:
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE)).save(folder / "images" / name)
    config = ResNetConfig(embedding_size=32, hidden_sizes=[32, 64, 128, 256], depths=[1, 1, 1, 1], layer_type="basic")
    ResNetModel(config).save_pretrained(folder / "tower")


class Stopwatch:
    """Seconds inside some calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def calls(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, its calls timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - start

        return timed

    def items(self, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Return the generator function, what it does for each item timed."""

        def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
            iterator = function(*arguments, **options)
            following = self.calls(lambda: next(iterator, None))
            while (item := following()) is not None:
                yield item

        return timed


def ratio_of(run: Callable[[], object], watch: Stopwatch, loading: Stopwatch) -> float:
    watch.seconds = loading.seconds = 0.0
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start - loading.seconds) / watch.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--media", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    inside, loading = Stopwatch(), Stopwatch()
    SentenceEncoder.encode = inside.calls(SentenceEncoder.encode)
    text_stage.SentenceEncoder = loading.calls(SentenceEncoder)
    text_stage.load_text_encoder = loading.calls(text_stage.load_text_encoder)
    pipelines.models.encode_batches = inside.items(pipelines.models.encode_batches)
    pipelines.embed.media.load_media_encoder = loading.calls(load_media_encoder)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder, arguments.texts, arguments.media)
        model, output = str(folder / "tower"), folder / "out.parquet"
        runs: dict[str, Callable[[], object]] = {
            f"`mmts embed`, {arguments.texts:,} texts": lambda: embed(folder / "texts.parquet", output, force=True),
            f"`mmts embed`, {arguments.media:,} images": lambda: embed_media(
                folder / "media.parquet", output, media=folder / "images", model=model, force=True
            ),
        }
        ratios: dict[str, list[float]] = {what: [] for what in runs}
        for _ in range(arguments.repeats):
            for what, run in runs.items():
                ratios[what].append(ratio_of(run, inside, loading))
    for what, found in ratios.items():
        figure(what, "its model alone, the same batches", statistics.median(found))


if __name__ == "__main__":
    main()
