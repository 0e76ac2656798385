"""Pictures of the long tail and of the band."""

import os

import pytest
from PIL import Image

from pipelines.errors import InputError
from pipelines.report.band import plan_band
from pipelines.report.pictures import picture_band, picture_clusters


def colours(path) -> set[tuple[int, ...]]:
    """The colours of a whole, valid PNG of a sensible size."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 400
        return {colour for _, colour in image.convert("RGB").getcolors(image.width * image.height)}


def rgb(text: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(text))


def test_the_long_tail_has_bars_and_shifts(world, tmp_path) -> None:
    output = picture_clusters(world.clusters, world.shifts, tmp_path / "new" / "tail.png")
    assert output == tmp_path / "new" / "tail.png"
    assert {rgb("b8c4d6"), rgb("c44e52"), (255, 255, 255)} <= colours(output)
    assert [path.name for path in output.parent.iterdir()] == ["tail.png"]


def test_the_band_has_a_line_for_each_third(world, tmp_path) -> None:
    band = plan_band(world.shifts, steps=100, alpha=0.04)
    found = colours(picture_band(band, tmp_path / "band.png"))
    assert {rgb("c44e52"), rgb("8172b3"), rgb("4c72b0")} <= found


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_the_name_says_the_format(world, tmp_path, suffix, magic) -> None:
    output = picture_clusters(world.clusters, world.shifts, tmp_path / f"tail{suffix}")
    assert output.read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["tail.doc", "tail"])
def test_another_format_is_refused(world, tmp_path, name) -> None:
    with pytest.raises(InputError, match=rf"{name}: not a picture format; end the name in \.png, "):
        picture_clusters(world.clusters, world.shifts, tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}: not a picture format; end the name in \.png, "):
        picture_band(plan_band(world.shifts, steps=10, alpha=0.04), tmp_path / name)


@pytest.mark.parametrize("line", ["shifts {input} -o new.parquet --min 0.1 --max 0.2", "plan {input} --steps 9"])
def test_no_picture_replaces_an_input(world, mmts, tmp_path, monkeypatch, line) -> None:
    monkeypatch.chdir(tmp_path)
    source = world.clusters if line.startswith("shifts") else world.shifts
    os.link(source, "linked.png")
    ran = mmts(*line.format(input=source).split(), "--picture", "linked.png")
    assert (ran.code, ran.err) == (2, "mmts: linked.png: is both input and output; choose another output path\n")
    assert not (tmp_path / "new.parquet").exists()


def test_samples_without_a_shift_are_counted(world, tmp_path) -> None:
    fewer = world.rewrite("shifts", lambda table: table.slice(3), "fewer.parquet")
    with pytest.raises(InputError, match=r"fewer\.parquet: 3 of 184 .* missing there, first: "):
        picture_clusters(world.clusters, fewer, tmp_path / "tail.png")
    assert not (tmp_path / "tail.png").exists()
