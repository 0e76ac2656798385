"""Files and folders that can't be seen: for ``mmts advise``, ``plot``, ``report`` and ``search``."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from bad_inputs.case import BadInput, good
from bad_inputs.commands import copied, cut, options, text, without
from bad_inputs.limits import HUGE

# Each command line that reads an artifact, with the artifact that is wrong in it as BAD, what that should be, and a
# column that it can't do without.
READERS = {
    "advise": ("advise BAD --k 2,3 --seeds 2", "text", "embedding"),
    "advise-by-media": (
        "advise {good}/media.parquet --by media --annotations BAD --k 2 --seeds 2",
        "annotations",
        "sample_id",
    ),
    "plot-tail": ("plot tail BAD -o x.png", "clusters", "cluster_size"),
    "plot-tail-shifts": ("plot tail {good}/clusters.parquet BAD -o x.png", "shifts", "shift"),
    "plot-shifts": ("plot shifts BAD -o x.png", "clusters", "cluster"),
    "plot-band": ("plot band BAD --steps 9 -o x.png", "shifts", "shift"),
    "plot-band-annotations": (
        "plot band {good}/shifts.parquet --steps 9 --annotations BAD -o x.png",
        "annotations",
        "sample_id",
    ),
    "plot-map": (
        "plot map BAD {good}/clusters.parquet --annotations {good}/annotations.parquet -o x.png",
        "text",
        "embedding",
    ),
    "plot-map-clusters": (
        "plot map {good}/text.parquet BAD --annotations {good}/annotations.parquet -o x.png",
        "clusters",
        "cluster",
    ),
    "plot-map-annotations": (
        "plot map {good}/text.parquet {good}/clusters.parquet --annotations BAD -o x.png",
        "annotations",
        "text",
    ),
    "report-annotations": ("report {good}/run -o x.html --annotations BAD", "annotations", "text"),
    "report-text": ("report {good}/run -o x.html --text BAD", "text", "embedding"),
    "report-clusters": ("report {good}/run -o x.html --clusters BAD", "clusters", "cluster"),
    "report-shifts": ("report {good}/run -o x.html --shifts BAD", "shifts", "shift"),
    "search-annotations": ("search {good}/run --like m00.png --annotations BAD", "annotations", "text"),
    "search-text": ("search {good}/run --like m00.png --among text --text BAD", "text", "embedding"),
    "search-media": ("search {good}/run --like m00.png --media BAD", "media", "embedding"),
    "search-frequency": ("search {good}/run --like m00.png --frequency BAD", "clusters", "cluster_size"),
}
OTHER = {"text": "shifts", "media": "shifts", "annotations": "shifts", "clusters": "text", "shifts": "text"}


def _rows(kind: str, keep: Callable[[int], int]) -> Callable[[Path], None]:
    """A good artifact as ``bad.parquet``, with so many of its rows."""

    def make(folder: Path) -> None:
        table = pq.read_table(good(folder) / f"{kind}.parquet")
        pq.write_table(table.slice(0, keep(len(table))), folder / "bad.parquet")

    return make


def _lacking(kind: str, column: str) -> Callable[[Path], None]:
    """A good artifact as ``bad.parquet`` without a column."""

    def make(folder: Path) -> None:
        pq.write_table(pq.read_table(good(folder) / f"{kind}.parquet").drop_columns(column), folder / "bad.parquet")

    return make


def _with_huge_id(kind: str) -> Callable[[Path], None]:
    """A good artifact as ``bad.parquet``, its first id of a hundred thousand letters."""

    def make(folder: Path) -> None:
        table = pq.read_table(good(folder) / f"{kind}.parquet")
        ids = ["x" * 100_000, *table["sample_id"].to_pylist()[1:]]
        pq.write_table(
            table.set_column(table.column_names.index("sample_id"), "sample_id", [ids]), folder / "bad.parquet"
        )

    return make


def _halved(kind: str) -> Callable[[Path], None]:
    """Half the bytes of a good artifact as ``bad.parquet``."""
    return copied(f"{kind}.parquet", lambda path: cut(path.name)(path.parent), "bad.parquet")


CASES = [
    *[
        BadInput(f"{name}-{wrong}", line.replace("BAD", "bad.parquet"), ("bad.parquet", *says), make)
        for name, (line, kind, column) in READERS.items()
        for wrong, says, make in (
            ("damaged", (), _halved(kind)),
            ("empty", (), _rows(kind, lambda rows: 0)),
            ("lacking", (), _lacking(kind, column)),
            ("swapped", (), _rows(OTHER[kind], lambda rows: rows)),
            ("no-parquet", (), text("bad.parquet", "no table")),
        )
    ],
    *[
        BadInput(f"{name}-huge-id", READERS[name][0].replace("BAD", "bad.parquet"), ("missing there", "..."), make)
        for name, make in (
            ("plot-map", _with_huge_id("text")),
            ("plot-map-clusters", _with_huge_id("clusters")),
            ("plot-map-annotations", _with_huge_id("annotations")),
            ("plot-tail-shifts", _with_huge_id("shifts")),
        )
    ],
    *options(
        "advise",
        "advise {good}/text.parquet",
        ("--k 0", "k 0: one cluster has no tail"),
        ("--k 2,x", "--k 2,x: expected whole numbers separated by commas"),
        ("--k ''", "--k"),
        (f"--k {HUGE}", "has only 184 distinct vectors"),
        ("--k 2 --seeds 1", "--seeds"),
        (f"--k 2 --seeds {HUGE}", "--seeds"),
        ("--k 2 --sample 0", "--sample"),
        ("--k 2 --by joint --annotations {good}/annotations.parquet", "--media"),
        ("--k 2 --media-weight 2", "--media-weight"),
        ("--k 2 --by media", "--annotations"),
        ("--k 2 --fit-split nowhere", "--fit-split"),
        ("--k 2 -o {good}/text.parquet", "both input and output"),
    ),
    *options(
        "plot",
        "plot",
        ("tial {good}/clusters.parquet -o x.png", "tail"),
        ("tail {good}/clusters.parquet -o x.gif", ".png, .svg, .pdf"),
        ("tail {good}/clusters.parquet -o x.png --width 1e9", "--width"),
        ("tail {good}/clusters.parquet -o x.png --width nan", "--width"),
        (f"band {{good}}/shifts.parquet --steps {HUGE} -o x.png", "--steps"),
        ("band {good}/shifts.parquet --steps 0 -o x.png", "--steps"),
        ("band {good}/scores -o x.png", "scores/config.json"),
        ("curves {good}/sweep -o x.png", "config.json"),
        ("thirds {good}/run-pixels -o x.png", "mmts eval"),
        ("thirds {good}/scores -o x.png", "its queries have no head and tail; score again with --frequency"),
        ("thirds {good}/scores-mmts {good}/scores -o x.png", "scores/metrics.json: its queries have no head and tail"),
        ("thirds {good}/scores -o {good}/scores/metrics.json", "not a picture format"),
        ("frontier {good}/run -o x.png", "sweep.parquet"),
        ("map {good}/text.parquet {good}/clusters.parquet -o x.png", "--annotations"),
        ("map {good}/text.parquet {good}/clusters.parquet --annotations a.parquet --seed -1 -o x.png", "--seed"),
    ),
    *[
        BadInput(f"plot-{name}", f"plot {line} -o x.png", ("bad", *says), copied(source, spoil, "bad"))
        for name, line, source, spoil, says in (
            ("curves-cut-steps", "curves bad", "run", cut("steps.parquet"), ("steps.parquet",)),
            ("curves-without-steps", "curves bad {good}/run", "run", without("steps.parquet"), ("steps.parquet",)),
            ("curves-cut-config", "curves bad", "run", cut("config.json"), ("config.json",)),
            (
                "band-of-a-fixed-run",
                "band bad",
                "run",
                without("metrics.json"),
                ("--temperature fixed", "mmts plot curves"),
            ),
            ("thirds-cut-metrics", "thirds bad {good}/scores", "scores", cut("metrics.json"), ("metrics.json",)),
            (
                "thirds-without-ranks",
                "thirds bad {good}/scores",
                "scores",
                without("ranks.parquet"),
                ("ranks.parquet",),
            ),
            ("thirds-of-none", "thirds bad", "scores", without("metrics.json", "ranks.parquet"), ("mmts eval",)),
        )
    ],
    *options(
        "report",
        "report",
        ("", "source"),
        ("{good}/run", "output"),
        ("{good}/run -o x.txt", ".html"),
        ("nowhere -o x.html", "no such folder"),
        ("{good}/text.parquet -o x.html", "is a file"),
        ("{dir} -o x.html", "holds nothing that mmts wrote"),
        ("{good}/run -o x.html --sample 0", "--sample"),
        ("{good}/run -o x.html --seed -1", "--seed"),
        ("{good}/run -o x.html --scores {good}/run-pixels", "not a folder that `mmts eval` wrote"),
        ("{good}/run -o x.html --scores {good}/scores --scores {good}/scores-mmts", "give one of each kind"),
        ("{good}/run -o x.html --media {good}/media.parquet", "holds features"),
        ("{good}/run -o x.html --media nowhere.zip", "nowhere.zip"),
    ),
    BadInput(
        "report-over-another-page",
        "report {good}/run -o mine.html",
        ("mine.html", "--force"),
        text("mine.html", "<p>years of work</p>"),
    ),
    *[
        BadInput(f"report-{name}", "report bad -o x.html", ("bad", says), copied(source, spoil, "bad"))
        for name, source, spoil, says in (
            ("cut-config", "run", cut("config.json"), "config.json"),
            ("cut-sweep", "sweep", cut("sweep.json"), "sweep.json"),
        )
    ],
    *[
        BadInput(
            f"report-scores-{name}",
            "report {good}/run -o x.html --scores bad",
            ("bad", *says),
            copied("scores", spoil, "bad"),
        )
        for name, spoil, says in (
            ("cut-metrics", cut("metrics.json"), ("metrics.json",)),
            ("cut-ranks", cut("ranks.parquet"), ("ranks.parquet",)),
            ("without-ranks", without("ranks.parquet"), ("not a folder that `mmts eval` wrote",)),
        )
    ],
]
