"""A miniature EPIC-KITCHENS-100: some official segments, and films that are rendered for them.

    python miniature.py EPIC-KITCHENS-100-ANNOTATIONS OUT

The rows of a few videos that end in their first 45 seconds are kept as they are, so that classes, times and narrations
are the official ones. In place of the video that each is cut from, a film of 32 x 32 pixels at 10 frames a second shows
a color for the verb and one for the noun while a segment lasts. OUT gets the annotations in ``annotations``, the films
in ``videos``, and the same cut into chunks of 15 seconds, as the released training code keeps them, in ``chunks``.
Beside them are a checkpoint of AVION's model in small with random weights, ``avion.pt``, and its vocabulary.
"""

import argparse
import colorsys
import csv
import shutil
from collections import defaultdict
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from small_avion import write_checkpoint, write_vocabulary

SECONDS, CHUNK_S, RATE, SIDE = 45, 15, 10, 32
SIDES = {"EPIC_100_train.csv": 8, "EPIC_100_retrieval_test.csv": 6}  # videos of each file
# The part of the training narrations that suffices; the large file is read only where this one isn't there.
PARTS = {"EPIC_100_train.csv": "EPIC_100_uda_source_train.csv"}
SENTENCES = {
    "EPIC_100_train.csv": "EPIC_100_retrieval_train_sentence.csv",
    "EPIC_100_retrieval_test.csv": "EPIC_100_retrieval_test_sentence.csv",
}
TAIL = "EPIC_100_tail_nouns.csv"
Row = dict[str, str]


def seconds(timestamp: str) -> float:
    hours, minutes, rest = timestamp.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def find(official: Path, *names: str) -> Path:
    """The first of some files that is in the folder of the official annotations, at any depth."""
    for name in names:
        if found := sorted(official.rglob(name)):
            return found[0]
    raise SystemExit(f"miniature.py: {official}: has no {names[-1]}; give the clone of epic-kitchens-100-annotations")


def early_rows(path: Path, videos: int) -> list[Row]:
    """The rows that end early, of the videos that have most of them."""
    by_video: dict[str, list[Row]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if seconds(row["stop_timestamp"]) <= SECONDS:
                by_video[row["video_id"]].append(row)
    chosen = sorted(by_video, key=lambda video: (-len(by_video[video]), video))[:videos]
    return [row for video in sorted(chosen) for row in by_video[video]]


def write_rows(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def color(number: int) -> list[int]:
    return [round(255 * part) for part in colorsys.hsv_to_rgb(number * 0.618 % 1, 0.8, 0.9)]


def render(rows: list[Row]) -> list[NDArray[np.uint8]]:
    """The frames of a film: the verb's color on the left and the noun's on the right, grey between segments."""
    frames = []
    for number in range(SECONDS * RATE):
        pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
        for row in rows:
            if seconds(row["start_timestamp"]) <= number / RATE < seconds(row["stop_timestamp"]):
                pixels[:, : SIDE // 2] = color(int(row["verb_class"]))
                pixels[:, SIDE // 2 :] = color(int(row["noun_class"]))
        frames.append(pixels)
    return frames


def encode(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """Write a film without loss, so that one in chunks shows the very same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.gop_size = RATE  # a keyframe each second, where a clip can begin
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def make(official: Path, out: Path) -> None:
    tail = find(official, TAIL)
    (out / "annotations").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tail, out / "annotations" / TAIL)
    for name, videos in SIDES.items():
        rows = early_rows(find(official, PARTS.get(name, name), name), videos)
        write_rows(out / "annotations" / name, rows)
        first: dict[str, Row] = {}
        for row in rows:
            first.setdefault(row["narration"], {key: row[key] for key in ("narration_id", "narration")})
        write_rows(out / "annotations" / SENTENCES[name], list(first.values()))
        for video in sorted({row["video_id"] for row in rows}):
            frames = render([row for row in rows if row["video_id"] == video])
            place = Path(video.partition("_")[0]) / f"{video}.MP4"
            encode(out / "videos" / place, frames)
            for begin in range(0, SECONDS, CHUNK_S):
                part = frames[begin * RATE : (begin + CHUNK_S) * RATE]
                encode(out / "chunks" / place / f"{begin}.MP4", part)
        print(f"{name}: {len(rows)} segments of {videos} videos")
    for written in (write_checkpoint(out), write_vocabulary(out)):
        print(f"{written}: written")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("official", type=Path, help="folder of the official annotations")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    make(arguments.official, arguments.out)


if __name__ == "__main__":
    main()
