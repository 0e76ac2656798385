"""Clips: a run on frames is scored as it was validated, and embedded to the same scores."""

import json

import numpy as np
import pytest
from tiny_world import write_tower_config
from transformers import AutoConfig, AutoModel

from pipelines.artifacts import read_vectors
from pipelines.media import MediaList, View, open_media


@pytest.fixture
def videos(world):
    """A folder with a video of each medium, 4 frames of its colours."""
    av = pytest.importorskip("av")
    folder = world.folder / "videos"
    folder.mkdir()
    for media_id in world.media_ids:
        with av.open(str(folder / f"{media_id}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for number in range(4):
                colour = np.clip(128 + 50 * world.features[media_id][number : number + 3], 0, 255).astype(np.uint8)
                pixels = np.ascontiguousarray(np.broadcast_to(colour, (32, 32, 3)))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
    return folder


def test_a_run_on_clips(world, videos, mmts) -> None:
    folder, tower = world.folder, write_tower_config(world.folder / "tower", "vit")
    flags = {"media": videos, "media_model": tower, "frames": 3, "pooling": "attention", "epochs": 1}
    assert mmts(*world.command("run", **flags)).code == 0
    validated = json.loads((folder / "run" / "metrics.json").read_text())["validation"][-1]
    scored = mmts("eval", folder / "run", "-o", folder / "s", "--split", "val", "--resamples", 0, "--json")
    scores = json.loads(scored.out)["scores"]["overall"]
    assert scores["text_to_media"]["recall@5"]["value"] == pytest.approx(validated["text_to_media_recall@5"])
    media, text = folder / "f.parquet", folder / "t.parquet"
    assert mmts("embed", world.annotations, "-o", media, "--media", videos, "--model", folder / "run").code == 0
    given = ("--text", world.text, "--model", folder / "run")
    assert mmts("embed", world.annotations, "-o", text, *given).code == 0
    files = ("--media", media, "--text", text, "--annotations", world.annotations, "--split", "val")
    again = json.loads(mmts("eval", *files, "-o", folder / "again", "--resamples", 0, "--json").out)
    assert again["scores"]["overall"] == scores


@pytest.mark.slow
def test_a_run_remembers_how_long_numbered_chunks_are(world, videos, mmts) -> None:
    """Four frames a film, a second each, three in a chunk."""
    tower = write_tower_config(world.folder / "tower", "vit")
    for name, chunks in (("seconds", ("0", "3")), ("numbers", ("0", "1"))):
        for media_id in world.media_ids:
            (folder := world.folder / name / f"{media_id}.mp4").mkdir(parents=True)
            for first, chunk in zip((0, 3), chunks, strict=True):
                copy_frames(videos / f"{media_id}.mp4", folder / f"{chunk}.mp4", slice(first, first + 3))
    flags = {"media_model": tower, "frames": 4, "epochs": 1}
    refused = mmts(*world.command("run", media=world.folder / "numbers", **flags))
    assert (refused.code, "or give --chunk-seconds" in refused.err) == (2, True)
    made = {}
    for name, more in (("seconds", {}), ("numbers", {"chunk_seconds": 3})):
        run = world.folder / f"run-{name}"
        assert mmts(*world.command(run.name, media=world.folder / name, **flags, **more)).code == 0
        output = world.folder / f"{name}.parquet"
        media = ("--media", world.folder / name, "--model", run)
        assert mmts("embed", world.annotations, "-o", output, *media).code == 0
        made[name] = read_vectors(output).matrix_nd[:]
        assert mmts("embed", world.annotations, "-o", output, *media, "--chunk-seconds", 2).code == 2
    np.testing.assert_array_equal(made["numbers"], made["seconds"])


def copy_frames(source, target, part: slice) -> None:
    av = pytest.importorskip("av")
    with av.open(str(source)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for pixels in frames[part]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def test_a_vision_model_gives_the_mean_over_frames(world, videos, mmts) -> None:
    tower = write_tower_config(world.folder / "tower", "vit")
    model = AutoModel.from_config(AutoConfig.from_pretrained(tower)).eval()
    model.save_pretrained(tower)
    output = world.folder / "f.parquet"
    flags = ("--media", videos, "--model", tower, "--frames", 2, "--workers", 1, "--batch-size", 7)
    assert mmts("embed", world.annotations, "-o", output, *flags).code == 0
    found = read_vectors(output)
    ids = found.ids.to_pylist()[:3]
    clips = open_media(videos, MediaList(ids), view=View(16, 2))
    for row in range(3):
        pooled = model(pixel_values=(clips.load(row) / 255 - 0.5) / 0.5).pooler_output.mean(dim=0)
        assert np.allclose(found.matrix_nd[row], pooled.detach().numpy(), atol=1e-5)
