"""Fixtures that several folders of tests share."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as mmts has it, before any import of torch
os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of transformers: no test asks the hub

settings.register_profile("mmts", deadline=None)  # a busy machine's pauses are no faults
settings.load_profile("mmts")


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


@pytest.fixture
def mmts(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process: ``mmts("shifts", path, "-o", output)``."""
    from mmts_cli.app import app
    from mmts_cli.command import run_app

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run_app(app, [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def refused(mmts: Callable[..., Ran]) -> Callable[..., str]:
    """Run a command line that is expected to be refused; gives its one line on stderr."""

    def run(*arguments: object) -> str:
        ran = mmts(*arguments)
        assert (ran.code, ran.out) == (2, ""), ran
        assert ran.err.startswith("mmts: "), ran.err
        assert ran.err.count("\n") == 1, ran.err
        assert ran.err.endswith("\n")
        return ran.err.removeprefix("mmts: ").rstrip("\n")

    return run


@pytest.fixture
def data_dir() -> Path:
    """The folder of real data sets; tests that need it are skipped without."""
    folder = os.environ.get("MMTS_DATA_DIR")
    if folder is None:
        pytest.skip("needs real data: set MMTS_DATA_DIR to their folder")
    return Path(folder)


@pytest.fixture(scope="session")
def write_artifact() -> Callable[..., Path]:
    """Write a table as a stage would: with a footer, so that reading it gives no warning."""
    from tiny_world import write_artifact

    return write_artifact


@pytest.fixture
def world(tmp_path: Path, write_artifact: Callable[..., Path]) -> Any:
    """Small files of every kind that fit together, see `TinyWorld`."""
    from tiny_world import make_tiny_world

    folder = tmp_path / "world"
    folder.mkdir()
    return make_tiny_world(folder, write_artifact)


@pytest.fixture
def run_on_pixels(world, mmts) -> Path:
    """A run on images, with a text model, trained for an epoch."""
    from tiny_models import write_sentence_model
    from tiny_world import write_tower_config

    tower, text = write_tower_config(world.folder / "tower", "vit"), write_sentence_model(world.folder / "model")
    flags = {"media": world.images(), "media_model": tower, "text": None, "text_model": text, "epochs": 1}
    assert mmts(*world.command("run", **flags)).err == ""
    return world.folder / "run"


@pytest.fixture
def embedded_run(world, mmts) -> Path:
    """A run on embeddings and features that `mmts embed` made of the world's texts and images."""
    from tiny_models import write_clip, write_sentence_model

    folder = world.folder
    models = {"text": write_sentence_model(folder / "model"), "media": write_clip(folder / "clip")}
    for side, model in models.items():
        media = ("--media", world.images()) if side == "media" else ()
        ran = mmts("embed", world.annotations, "-o", folder / f"{side}.parquet", "--model", model, *media)
        assert ran.code == 0, ran.err
    assert mmts(*world.command("run", epochs=1)).code == 0
    return folder / "run"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium, which draws WebGL without a graphics card."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'mmts[dev]'")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = started.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


class FakeEncoder:
    """Stands in for `SentenceEncoder`: a word is a token, a vector comes from the text's hash."""

    dimension = 8
    max_length = 6
    texts: list[str]

    def __init__(self, model: str, *, batch_size: int, **_: Any) -> None:
        self.batch_size = batch_size

    def encode(self, texts: list[str]) -> np.ndarray:
        type(self).texts.extend(texts)
        return np.stack([self.vector(text) for text in texts])

    def count_truncated(self, texts: list[str]) -> int:
        return sum(len(text.split()) > self.max_length for text in texts)

    @classmethod
    def vector(cls, text: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
        vector = np.random.default_rng(seed).standard_normal(cls.dimension)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def fake_encoder(monkeypatch: pytest.MonkeyPatch) -> type[FakeEncoder]:
    """``embed``, and runs on its embeddings, with a `FakeEncoder`; its ``texts`` are those encoded, in order."""
    monkeypatch.setattr("pipelines.embed.stage.SentenceEncoder", FakeEncoder)
    monkeypatch.setattr("pipelines.runs.encoder.SentenceEncoder", FakeEncoder)
    monkeypatch.setattr(FakeEncoder, "texts", [], raising=False)
    return FakeEncoder


@pytest.fixture(scope="session")
def minilm() -> Any:
    """The default encoder, loaded once."""
    from pipelines.encoders.sentences import SentenceEncoder
    from pipelines.model_files import DEFAULT_MODEL

    return SentenceEncoder(DEFAULT_MODEL, device="cpu", batch_size=32)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, made once, see `tiny_towers.make`. Read only."""
    from tiny_towers import make

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = make(tmp_path_factory.mktemp(name), name)
        return made[name]

    return folder


@pytest.fixture
def film():
    """Write a video whose frame ``i`` is grey of level ``4 * i`` on the left and bright on the right."""
    av = pytest.importorskip("av")

    def write(
        path: Path,
        *,
        codec: str = "libx264",
        frames: int = 50,
        times_ms: list[int] | None = None,
        gop: int = 12,
        form: str | None = None,
    ) -> Path:
        times_ms = [40 * number for number in range(frames)] if times_ms is None else times_ms
        clock = Fraction(1, 25) if all(time % 40 == 0 for time in times_ms) else Fraction(1, 1000)
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format=form) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.gop_size = gop
            stream.codec_context.time_base = clock
            for number, time in enumerate(times_ms):
                pixels = np.full((48, 64, 3), 4 * number % 200, np.uint8)
                pixels[:, 64 // 2 :] = 250
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.time_base, frame.pts = clock, int(Fraction(time, 1000) / clock)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write
