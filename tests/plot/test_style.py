"""How figures are written: formats, fonts, sizes, and what is refused."""

import os
import re
import warnings
import zlib
from itertools import pairwise

import matplotlib as mpl
import pytest
from matplotlib.font_manager import fontManager
from PIL import Image

from pipelines.errors import InputError
from pipelines.plot.letters import fonts_with
from pipelines.plot.style import COLORS, THIRD_STYLES, legend_above, write_picture


def draw(figure) -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=COLORS[0])
    axes.set_xlabel("step costs $5 or $6")


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_the_name_says_the_format_and_the_file_is_the_same_each_time(tmp_path, suffix, magic) -> None:
    output = write_picture(tmp_path / "new" / f"a{suffix}", draw)
    content = output.read_bytes()
    assert content.startswith(magic)
    assert [path.name for path in output.parent.iterdir()] == [f"a{suffix}"]
    assert write_picture(output, draw).read_bytes() == content


def test_fonts_are_embedded_as_truetype(tmp_path) -> None:
    content = write_picture(tmp_path / "a.pdf", draw).read_bytes()
    parts = [content]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    whole = b"".join(parts)
    assert b"/FontFile2" in whole
    assert b"/Type3" not in whole


def test_text_of_an_svg_is_drawn_so_that_no_font_is_needed(tmp_path) -> None:
    content = write_picture(tmp_path / "a.svg", draw).read_text()
    assert "<text" not in content
    assert "<use" in content


@pytest.mark.parametrize("width", [8.4, 17.0])
def test_the_width_is_in_centimetres(tmp_path, width) -> None:
    with Image.open(write_picture(tmp_path / "a.png", draw, width=width)) as image:
        assert image.width == pytest.approx(width / 2.54 * 300, abs=1)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("legend", [False, True])
def test_a_title_of_any_length_hides_nothing(tmp_path, legend) -> None:
    kept = []

    def draw_with_legend(figure) -> None:
        draw(figure)
        if legend:
            legend_above(figure, {"a line": figure.axes[0].lines[0]})
        kept.append(figure)

    heights = [
        write_picture(tmp_path / "a.svg", draw_with_legend, title=title) and kept[-1].get_figheight()
        for title in ("", "Short $", "Long enough " * 40)
    ]
    assert heights[0] < heights[1] < heights[2]
    figure = kept[-1]
    figure.draw_without_rendering()
    above = [*figure.legends[0].get_texts(), figure.legends[0].get_title()] if legend else [figure._suptitle]
    boxes = [figure.axes[0].get_tightbbox(), *(text.get_window_extent() for text in above)]
    for number, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:number])


@pytest.fixture
def fonts(monkeypatch) -> None:
    """No fonts but those that come with matplotlib, whatever the system has."""
    own = [font for font in fontManager.ttflist if font.fname.startswith(mpl.get_data_path())]
    monkeypatch.setattr(fontManager, "ttflist", own)


@pytest.mark.usefixtures("fonts")
def test_letters_that_no_font_has_are_told_once(tmp_path) -> None:
    told_as = "no font here has these letters, which are drawn as boxes: 訓練$"
    with pytest.warns(UserWarning, match=told_as) as told:
        write_picture(tmp_path / "a.png", draw, title="訓練 1, 訓練 2")
    assert len(told) == 1


@pytest.mark.usefixtures("fonts")
def test_letters_that_the_font_lacks_come_from_another(tmp_path, monkeypatch) -> None:
    letters = "\u2338\u2339"  # of APL
    assert fonts_with(letters) == ["DejaVu Sans Mono"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = write_picture(tmp_path / "a.svg", draw, title=letters).read_bytes()
    monkeypatch.setattr("pipelines.plot.style.fonts_with", lambda lacking: [])
    with pytest.warns(UserWarning, match="drawn as boxes"):
        boxes = write_picture(tmp_path / "a.svg", draw, title=letters).read_bytes()
    assert found != boxes


@pytest.mark.usefixtures("fonts")
def test_no_font_is_named_for_letters_that_none_has() -> None:
    assert fonts_with("訓") == []
    assert fonts_with("") == []


@pytest.mark.parametrize("name", ["tail.doc", "tail"])
def test_another_format_is_refused(tmp_path, name) -> None:
    with pytest.raises(InputError, match=rf"{name}: not a picture format; end the name in \.png, "):
        write_picture(tmp_path / name, draw)


@pytest.mark.parametrize("width", [0, 4.9, 61, float("nan")])
def test_other_widths_are_refused(tmp_path, width) -> None:
    with pytest.raises(InputError, match=rf"--width {width:g}: expected 5 to 60"):
        write_picture(tmp_path / "a.png", draw, width=width)


def test_the_thirds_differ_in_grey_too() -> None:
    def lightness(color: str) -> float:
        red, green, blue = bytes.fromhex(color[1:])
        return (0.299 * red + 0.587 * green + 0.114 * blue) / 255

    found = sorted(lightness(style["color"]) for style in THIRD_STYLES.values())
    assert min(b - a for a, b in pairwise(found)) > 0.05
    assert len({style["linestyle"] for style in THIRD_STYLES.values()}) == 3


@pytest.mark.parametrize("line", ["shifts {input} -o new.parquet --min 0.1 --max 0.2", "plan {input} --steps 9"])
def test_no_picture_replaces_an_input(world, mmts, tmp_path, monkeypatch, line) -> None:
    monkeypatch.chdir(tmp_path)
    source = world.clusters if line.startswith("shifts") else world.shifts
    os.link(source, "linked.png")
    ran = mmts(*line.format(input=source).split(), "--picture", "linked.png")
    assert (ran.code, ran.err) == (2, "mmts: linked.png: is both input and output; choose another output path\n")
    assert not (tmp_path / "new.parquet").exists()
