"""Drawings of the Open Clip Art Library as captions.csv and images.zip.

    python make.py SVG_FOLDER OUTPUT_FOLDER

Reads every SVG file below a folder. One that its metadata put into the public domain becomes a 96-pixel JPEG on white
and a row ``media_id,caption,split,folder,top_folder``. Needs resvg-py (pip).
"""

import csv
import hashlib
import io
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

SIZE = 96
INKSCAPE_DPI = 90  # of the years in which these were drawn: 210mm are 744 units
KEYWORDS = 8
MOST_ALIKE = {"train": 12, "val": 1, "test": 1}  # drawings of one caption, digits aside
COLLECTION = 12  # a title of more drawings than these names what they come from, not what they show
NO_KEYWORD = re.compile(r"unsorted|clip ?art|hash(\(0x[0-9a-f]+\))?|")  # what scripts left there
DC = "{http://purl.org/dc/elements/1.1/}"
CC = "{http://web.resource.org/cc/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@dataclass(frozen=True)
class Drawing:
    """What an SVG file's metadata say of it.

    Attributes:
        title: As written; may be empty.
        keywords: As written.
        public_domain: Whether it names licences and all of them are the public domain.
    """

    title: str
    keywords: tuple[str, ...]
    public_domain: bool


def read_drawing(svg: Path) -> Drawing:
    """Read the metadata of an SVG file."""
    root = ElementTree.parse(svg).getroot()
    work = root.find(f".//{CC}Work")
    if work is None:
        return Drawing("", (), False)
    licences = [licence.get(f"{RDF}resource", "") for licence in work.iter(f"{CC}license")]
    return Drawing(
        work.findtext(f"{DC}title") or "",
        tuple(item.text or "" for item in work.iterfind(f"{DC}subject//{RDF}li")),
        bool(licences) and all(is_public_domain(licence) for licence in licences),
    )


def is_public_domain(licence: str) -> bool:
    """Whether a licence, an address or a name, is the public domain."""
    return re.sub("[^a-z]", "", licence.lower()).endswith("publicdomain")


def caption(title: str, keywords: Iterable[str]) -> str:
    """Title and up to eight keywords: ``Baby Tux: penguin, linux``."""
    title = clean(title)
    kept = dict.fromkeys(clean(keyword).lower() for keyword in keywords)
    words = [word for word in kept if not NO_KEYWORD.fullmatch(word) and word != title.lower()]
    return ": ".join(filter(None, [title, ", ".join(words[:KEYWORDS])]))


def clean(text: str) -> str:
    """Underscores and white space as single blanks."""
    return re.sub(r"[\s_]+", " ", text).strip()


def kind_of(text: str) -> str:
    """A caption without case, digits and punctuation: that of ``arrow 1`` and ``Arrow-2`` is one."""
    return re.sub(r"[\W\d_]+", " ", text.lower()).strip()


def split_of(kind: str) -> str:
    """Split of a kind of captions, by its hash, so that none is in two: 80% train, 10% val, 10% test."""
    tenth = int(hashlib.sha256(kind.encode()).hexdigest(), 16) % 10
    return {8: "val", 9: "test"}.get(tenth, "train")


def render(svg: Path) -> Image.Image:
    """The drawing in the middle of a white square."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_path=str(svg), width=SIZE, height=SIZE, dpi=INKSCAPE_DPI, background="white")
    fitted = Image.open(io.BytesIO(png)).convert("RGB")
    image = Image.new("RGB", (SIZE, SIZE), "white")
    image.paste(fitted, ((SIZE - fitted.width) // 2, (SIZE - fitted.height) // 2))
    return image


def make(source: Path, output: Path) -> Counter[str]:
    """Write captions.csv and images.zip; gives how many drawings were taken, by split, or left out, by reason."""
    output.mkdir(parents=True, exist_ok=True)
    drawings = {svg: read_drawing(svg) for svg in sorted(source.rglob("*.svg"))}
    of_title = Counter(drawing.title for drawing in drawings.values())
    counts: Counter[str] = Counter()
    alike: Counter[str] = Counter()
    rows = []
    with zipfile.ZipFile(output / "images.zip", "w") as images:
        for svg, drawing in drawings.items():
            is_own = drawing.title and of_title[drawing.title] <= COLLECTION
            text = caption(drawing.title if is_own else svg.stem.replace("-", " "), drawing.keywords)
            kind = kind_of(text)
            split = split_of(kind)
            if not drawing.public_domain:
                counts["left out: not public domain"] += 1
                continue
            if alike[kind] == MOST_ALIKE[split]:
                counts["left out: enough of its caption"] += 1
                continue
            image = render(svg)
            if image.getextrema() == ((255, 255),) * 3:
                counts["left out: blank"] += 1
                continue
            alike[kind] += 1
            counts[split] += 1
            place = svg.relative_to(source)
            media_id = place.with_suffix(".jpg").as_posix()
            jpeg = io.BytesIO()
            image.save(jpeg, "JPEG", quality=90)
            images.writestr(media_id, jpeg.getvalue())
            rows.append((media_id, text, split, place.parent.as_posix(), place.parts[0]))
    with (output / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("media_id", "caption", "split", "folder", "top_folder"), *rows])
    return counts


if __name__ == "__main__":
    for name, count in sorted(make(Path(sys.argv[1]), Path(sys.argv[2])).items()):
        print(f"{name}: {count:,}")
