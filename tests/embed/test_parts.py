"""A run of ``embed`` that was stopped goes on from its parts, and ends with the bytes of an unbroken one."""

import contextlib
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from attacks.kill import SERVER
from PIL import Image

from pipelines.embed import embed, embed_media
from pipelines.embed.parts import disk_of
from pipelines.encoding import Encoding
from pipelines.errors import InputError, Interrupted
from pipelines.progress import Silent

TEXTS = [f"{'long ' * (row % 90 % 7)}text {row % 90}" for row in range(100)]  # 90 distinct ones, in chunks of 16


class Stopping(Silent):
    """A progress bar at which someone presses Ctrl-C after a number of reports; counts what is reported."""

    def __init__(self, after: int = 10**9) -> None:
        self.left, self.reported = after, 0

    @contextlib.contextmanager
    def task(self, label, total, unit):
        yield self

    def advance(self, count=1, note=""):
        self.reported += count
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.fixture
def annotations(tmp_path, write_artifact):
    ids = [f"s{row}" for row in range(len(TEXTS))]
    return write_artifact(tmp_path / "a.parquet", {"sample_id": ids, "text": TEXTS})


@pytest.fixture
def unbroken(annotations, tmp_path, fake_encoder) -> bytes:
    embed(annotations, tmp_path / "unbroken.parquet", batch_size=2)
    fake_encoder.texts.clear()
    return (tmp_path / "unbroken.parquet").read_bytes()


def stopped(annotations, output, after=2, **options) -> None:
    with pytest.raises(
        Interrupted, match=rf"stopped after {16 * after} vectors, which are kept in .*e\.parquet\.parts;"
    ):
        embed(annotations, output, batch_size=2, progress=Stopping(after), **options)


@pytest.mark.parametrize("after", [1, 3, 5])
@pytest.mark.parametrize("window", [7, 40, 1000])
def test_what_was_encoded_is_not_encoded_again(
    annotations, tmp_path, fake_encoder, monkeypatch, unbroken, after, window
) -> None:
    monkeypatch.setattr("pipelines.embed.stage.WINDOW_ROWS", window)
    output = tmp_path / "e.parquet"
    with pytest.raises(Interrupted):
        embed(annotations, output, batch_size=2, progress=Stopping(after))
    assert not output.exists()
    progress = Stopping()
    embed(annotations, output, batch_size=2, progress=progress)
    assert sorted(fake_encoder.texts) == sorted(set(TEXTS))
    assert progress.reported == 90
    assert (output.read_bytes() == unbroken) or window != 1000  # a smaller window makes other row groups
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "e.parquet", "unbroken.parquet"]


@pytest.mark.parametrize(
    ("name", "change", "kept"),
    [
        ("vectors.bin", lambda data: data[:-1], 2),  # a power cut left less of the vectors than the journal says
        ("vectors.bin", lambda data: data + b"half a part", 3),
        ("vectors.bin", lambda data: bytes([data[0] ^ 1]) + data[1:], 0),
        ("journal.jsonl", lambda data: data[:-3], 2),
        ("journal.jsonl", lambda data: data[:-1], 2),
        ("journal.jsonl", lambda data: data + b'{"rows": 1', 3),
        ("journal.jsonl", lambda data: data + b"7\n", 3),
        ("journal.jsonl", lambda data: data + b"{}\n", 3),
    ],
)
def test_what_is_torn_is_made_again(annotations, tmp_path, fake_encoder, unbroken, name, change, kept) -> None:
    output = tmp_path / "e.parquet"
    stopped(annotations, output, 3)
    file = tmp_path / "e.parquet.parts" / name
    file.write_bytes(change(file.read_bytes()))
    fake_encoder.texts.clear()
    embed(annotations, output, batch_size=2)
    assert len(fake_encoder.texts) == 90 - 16 * kept
    assert output.read_bytes() == unbroken


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"force": True}, {"dtype": "float16"}, {"device": "cpu"}])
def test_parts_of_other_settings_are_not_gone_on_with(annotations, tmp_path, fake_encoder, options) -> None:
    stopped(annotations, tmp_path / "e.parquet")
    fake_encoder.texts.clear()
    embed(annotations, tmp_path / "e.parquet", **{"batch_size": 2, **options})
    assert len(fake_encoder.texts) == 90


def test_parts_of_other_texts_are_not_gone_on_with(annotations, tmp_path, fake_encoder, write_artifact) -> None:
    stopped(annotations, tmp_path / "e.parquet")
    fake_encoder.texts.clear()
    write_artifact(annotations, {"sample_id": ["a"], "text": ["another"]})
    embed(annotations, tmp_path / "e.parquet", batch_size=2)
    assert fake_encoder.texts == ["another"]


def test_parts_that_a_kill_left_of_a_finished_run_go_away(annotations, tmp_path, fake_encoder) -> None:
    output = tmp_path / "e.parquet"
    stopped(annotations, output)
    shutil.copytree(tmp_path / "e.parquet.parts", tmp_path / "copy")
    embed(annotations, output, batch_size=2)
    (tmp_path / "copy").rename(tmp_path / "e.parquet.parts")
    assert embed(annotations, output, batch_size=2).up_to_date
    assert not (tmp_path / "e.parquet.parts").exists()


def test_a_folder_of_something_else_stays(annotations, tmp_path, fake_encoder) -> None:
    (tmp_path / "e.parquet.parts").mkdir()
    (tmp_path / "e.parquet.parts" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"e\.parquet\.parts: holds mine\.txt, which is not mmts's; move it"):
        embed(annotations, tmp_path / "e.parquet")
    assert (tmp_path / "e.parquet.parts" / "mine.txt").exists()


def test_what_the_disk_still_needs(tmp_path) -> None:
    output = tmp_path / "e.parquet"
    assert disk_of(output, 90, 100, 8, "float16") == 190 * 8 * 2
    (tmp_path / "e.parquet.parts").mkdir()
    (tmp_path / "e.parquet.parts" / "vectors.bin").write_bytes(bytes(40 * 8 * 2))
    assert disk_of(output, 90, 100, 8, "float16") == 150 * 8 * 2


def test_a_run_that_made_nothing_leaves_nothing(annotations, tmp_path, fake_encoder, monkeypatch) -> None:
    monkeypatch.setattr(fake_encoder, "encode", lambda self, texts: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed(annotations, tmp_path / "e.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_media_go_on_too_and_damaged_ones_are_told_again(tmp_path, write_artifact, tiny, after) -> None:
    names = [f"m{row}.png" for row in range(7)]
    (tmp_path / "images").mkdir()
    for row, name in enumerate(names):
        Image.new("RGB", (32, 32), (9 * row, 99, 200)).save(tmp_path / "images" / name)
    (tmp_path / "images" / names[2]).write_bytes(b"no image")
    columns = {"sample_id": names, "text": names, "media_id": names}
    annotations = write_artifact(tmp_path / "a.parquet", columns)
    options = {
        "media": tmp_path / "images",
        "model": str(tiny("vit")),
        "encoding": Encoding("cpu", batch_size=2, max_bad=1),
    }
    with pytest.warns(UserWarning, match=r"m2\.png"):
        embed_media(annotations, tmp_path / "unbroken.parquet", **options)
    with (
        pytest.warns(UserWarning, match=r"m2\.png") if after > 1 else contextlib.nullcontext(),
        pytest.raises(Interrupted),
    ):
        embed_media(annotations, tmp_path / "f.parquet", progress=Stopping(after), **options)
    progress = Stopping()
    with pytest.warns(UserWarning, match=r"m2\.png"):
        result = embed_media(annotations, tmp_path / "f.parquet", progress=progress, **options)
    assert list(result.summary["bad_media"]) == ["m2.png"]
    assert progress.reported == 7
    assert (tmp_path / "f.parquet").read_bytes() == (tmp_path / "unbroken.parquet").read_bytes()


def embed_synced_often(annotations: Path, output: Path, model: Path) -> None:
    from pipelines.embed import parts

    torch.set_num_threads(1)
    parts._SECONDS_BETWEEN_SYNCS = 0.01
    embed(annotations, output, model=str(model), batch_size=4, device="cpu")


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_with_the_same_bytes(tmp_path, write_artifact) -> None:
    from tiny_models import write_sentence_model

    texts = [f"text number {row}" for row in range(12_000)]
    annotations = write_artifact(tmp_path / "a.parquet", {"sample_id": texts, "text": texts})
    model = write_sentence_model(tmp_path / "model")
    journal = tmp_path / "e.parquet.parts" / "journal.jsonl"

    def start(name: str) -> Any:
        process = SERVER.Process(target=embed_synced_often, args=(annotations, tmp_path / name, model))
        process.start()
        return process

    def lines() -> int:
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    unbroken = start("unbroken.parquet")
    unbroken.join()
    assert unbroken.exitcode == 0
    draw, grown = random.Random(0), [0]
    while len(grown) <= 20:
        process = start("e.parquet")
        while process.exitcode is None and lines() <= grown[-1]:  # as long as it reads the model, and what is made
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.05))
        process.kill()
        process.join()
        if process.exitcode == 0:
            break
        grown.append(lines())
    assert len(grown) > 6
    assert grown == sorted(set(grown))  # each went on from what the one before it had left
    last = start("e.parquet")
    last.join()
    assert last.exitcode == 0
    assert (tmp_path / "e.parquet").read_bytes() == (tmp_path / "unbroken.parquet").read_bytes()
    assert not journal.exists()
