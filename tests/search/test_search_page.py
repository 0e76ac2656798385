"""The web page of a search: what it shows, and that texts stay texts."""

import html
import re

import pyarrow as pa
import pytest

ATTACK = '</script><script>alert("1")</script> “é” 😀 שלום'


def test_it_shows_what_was_found_with_pictures_inside(world, run_on_pixels, mmts) -> None:
    query, page = world.samples("test")[0], world.folder / "found.html"
    image = world.folder / "images" / "m00.png"
    flags = ("--like", query, "--image", image, "--top", 3, "--clusters", world.clusters)
    ran = mmts("search", run_on_pixels, "a dog", *flags, "-o", page)
    assert ran.code == 0, ran.err
    assert ran.out.endswith(f"{page}: written\n")
    text = page.read_text()
    headings = [html.unescape(each) for each in re.findall(r"<h2[^>]*>([^<]*)</h2>", text)]
    assert headings == ['"a dog"', f"image {image}", f'sample {query}: "caption {query}"']
    assert len(re.findall(r'<img src="data:image/[a-z]+;base64,[^"]+" alt="">', text)) == 9
    assert len(re.findall(r'<img src="data:image/[a-z]+;base64,[^"]+" alt="(?:image|sample)', text)) == 2
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "http" not in re.sub(r"<meta http-equiv", "", text)
    again = mmts("search", run_on_pixels, "two dogs", "-o", page)
    assert (again.code, '"two dogs"' in html.unescape(page.read_text())) == (0, True)


def test_texts_are_escaped(world, embedded_run, mmts) -> None:
    attacked = world.rewrite(
        "annotations",
        lambda table: table.set_column(table.column_names.index("text"), "text", pa.array([ATTACK] * len(table))),
        to="attacked.parquet",
    )
    page = world.folder / "found.html"
    ran = mmts("search", embedded_run, ATTACK, "--annotations", attacked, "--top", 2, "-o", page)
    assert ran.code == 0, ran.err
    text = page.read_text()
    assert text.count("<script>") == text.count("</script>") == 1
    assert "alert(" not in re.sub(r"alert\(&#34;1&#34;\)", "", text)
    assert html.unescape(text).count(ATTACK) == 3


def test_without_pictures_there_are_none(world, embedded_run, mmts) -> None:
    page = world.folder / "found.html"
    assert mmts("search", embedded_run, "a dog", "-o", page).err == ""
    assert "<img" not in page.read_text()
    given = ("--pictures", world.folder / "images")
    assert mmts("search", embedded_run, "a dog", "--among", "text", "-o", page, *given).err == ""
    assert page.read_text().count("<img") == 10


@pytest.mark.slow
def test_media_that_cannot_be_shown_are_told(world, embedded_run, mmts, refused) -> None:
    page, lost = world.folder / "found.html", world.media_of(world.samples("test")[0])
    (world.folder / "images" / lost).unlink()
    flags = ("a dog", "--top", 100, "-o", page)
    ran = mmts("search", embedded_run, *flags, "--pictures", world.folder / "images")
    assert ran.err == "warning: no pictures of 1 media, which are missing or damaged\n"
    assert page.read_text().count("<img") == 23
    (world.folder / "empty").mkdir()
    assert "media are missing there" in refused("search", embedded_run, *flags, "--pictures", world.folder / "empty")
    placed = world.rewrite(
        "annotations", lambda table: table.append_column("media", table.column("media_id")), to="placed.parquet"
    )
    ran = mmts("search", embedded_run, *flags, "--annotations", placed)
    assert ran.err.startswith("warning: no pictures: ")
    assert (ran.code, "<img" in page.read_text()) == (0, False)


def test_mistakes_are_named(world, embedded_run, refused) -> None:
    mine = world.folder / "mine.html"
    mine.write_text("<p>years of work</p>")
    said = refused("search", embedded_run, "a dog", "-o", mine)
    assert said == f"{mine}: exists and was not written by `mmts search`; use --force to overwrite it"
    assert mine.read_text() == "<p>years of work</p>"
    assert "end its name in .html" in refused("search", embedded_run, "a dog", "-o", world.folder / "found.txt")
    said = refused("search", embedded_run, "a dog", "-o", world.folder / "a.html", "--pictures", world.media)
    assert "holds features, which can't be looked at" in said
    said = refused("search", embedded_run, "a dog", "--pictures", world.folder / "images")
    assert said == "--pictures: is for the thumbnails of a page; give -o, or leave it out"


@pytest.mark.slow  # starts a browser
def test_a_browser_shows_it_on_a_phone_in_both_themes(world, run_on_pixels, mmts, browser) -> None:
    page = world.folder / "found.html"
    assert mmts("search", run_on_pixels, "x" * 200, "-o", page).code == 0
    opened = browser.new_page(viewport={"width": 360, "height": 800}, color_scheme="dark")
    said, asked = [], []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(page.as_uri())
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    widths = opened.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 10
    assert min(widths) > 0
    theme = "document.documentElement.dataset.theme"
    assert opened.evaluate(theme) == "dark"
    opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    assert opened.evaluate(theme) == "light"
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    opened.close()
