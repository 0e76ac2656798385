"""Clips for each second of processor time, of whole videos and of chunks, against bare PyAV.

    python benchmarks/video_decoding.py

Videos of 30 s are made here: 456 x 256 at 30 frames a second, as EPIC-KITCHENS-100 is prepared for training, and 1920 x
1080, both with a keyframe a second; and the same cut into chunks of 15 s. Of each, clips of 4 s give 16 frames of 224 x
224. "Bare PyAV" opens the video, seeks to the keyframe before the clip, decodes to its end and converts the 16 frames
with ``to_image`` and Pillow's bicubic filter: what a training script writes in ten lines. "Decoding alone" leaves out
the conversion: what no reader can beat. Times are those of all threads together, since in training each worker process
has a core; runs are interleaved; a figure is the median of the runs' ratios.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from figures import figure
from PIL import Image

from pipelines.media import MediaList, View, open_media
from pipelines.media.video import instants_of

SIZES = {"456 x 256": (456, 256), "1920 x 1080": (1920, 1080)}
RATE, SECONDS, CHUNK_S, CLIP_S, FRAMES, SIDE, CLIPS, REPEATS = 30, 30, 15, 4.0, 16, 224, 6, 5


def write_video(path: Path, size: tuple[int, int], first: int, seconds: int) -> None:
    """A textured picture that moves, so that there is something to predict."""
    width, height = size
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((width + 120, height + 120), Image.Resampling.BICUBIC))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = RATE
        for number in range(first * RATE, (first + seconds) * RATE):
            right, down = (round(60 + 60 * wave(number / 40)) for wave in (math.sin, math.cos))
            pixels = np.ascontiguousarray(picture[down : down + height, right : right + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def bare(path: Path, start: float, *, convert: bool) -> np.ndarray | None:
    instants = instants_of(start, start + CLIP_S, FRAMES, None)
    frames: list[av.VideoFrame] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        container.seek(int(start / stream.time_base), stream=stream)
        shown = None
        for frame in container.decode(stream):
            while len(frames) < FRAMES and shown is not None and instants[len(frames)] < frame.time:
                frames.append(shown)
            if len(frames) == FRAMES:
                break
            shown = frame
        frames += [shown] * (FRAMES - len(frames))
    return np.stack([square(frame.to_image()) for frame in frames]) if convert else None


def square(image: Image.Image) -> np.ndarray:
    wide, high = (SIDE * side // min(image.size) for side in image.size)
    left, top = (wide - SIDE) // 2, (high - SIDE) // 2
    scaled = image.resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(scaled.crop((left, top, left + SIDE, top + SIDE))).transpose(2, 0, 1)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(name: str, size: tuple[int, int], folder: Path) -> None:
    (folder / "whole").mkdir(parents=True)
    write_video(whole := folder / "whole" / "v.mp4", size, 0, SECONDS)
    (chunks := folder / "chunks" / "v.mp4").mkdir(parents=True)
    for begin in range(0, SECONDS, CHUNK_S):
        write_video(chunks / f"{begin}.mp4", size, begin, CHUNK_S)
    starts = np.random.default_rng(1).uniform(0, SECONDS - CLIP_S, CLIPS)
    ids = [f"c{row}" for row in range(CLIPS)]
    media = MediaList(ids, None, ["v"] * CLIPS, starts, starts + CLIP_S)
    sources = [
        open_media(root, media, view=View(SIDE, FRAMES), cache_bytes=0) for root in (whole.parent, chunks.parent)
    ]
    rows = range(CLIPS)
    ways: dict[str, Callable[[], object]] = {
        "bare PyAV": lambda: [bare(whole, start, convert=True) for start in starts],
        "decoding alone": lambda: [bare(whole, start, convert=False) for start in starts],
        "ours": lambda: [sources[0].load(row) for row in rows],
        "ours, chunks": lambda: [sources[1].load(row) for row in rows],
    }
    difference = np.stack([bare(whole, start, convert=True) for start in starts]).astype(int) - np.stack(
        [sources[0].load(row).numpy() for row in rows]
    )
    print(f"{name}: pixels differ from bare PyAV's by {np.abs(difference).mean():.2f} of 255 in the mean")
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, run in ways.items():
            times[way].append(seconds(run))
    for way, taken in times.items():
        print(f"{name}, {way}: {CLIPS / statistics.median(taken):.1f} clips for each second of processor time")
    for way in ("ours", "ours, chunks"):
        for against in ("bare PyAV", "decoding alone"):
            ratio = statistics.median(a / b for a, b in zip(times[way], times[against], strict=True))
            what = "16 frames of a clip" + (", from chunks" if way != "ours" else "")
            figure(f"{what}, {name}", against, ratio, "times the processor time")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            measure(name, size, Path(folder) / name.partition(" ")[0])


if __name__ == "__main__":
    main()
