"""The map: samples laid out so that what is alike lies together, with the data that the page's script draws."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.report.clusters import Clusters
from pipelines.report.page import Section
from pipelines.views.found import FOUND_WITHIN
from pipelines.views.map import Map

_TYPES = {"f4": np.float32, "i4": np.int32, "u1": np.uint8}
_NOT_SCORED = 255  # map.js knows it too


def map_section(view: Map, clusters: Clusters | None, pictures: dict[str, int]) -> Section:
    """The map of samples.

    Args:
        view: The samples and where they lie.
        clusters: The clusters in the order of the page's table; None where ``view`` has none.
        pictures: Numbers of the thumbnails by medium; media without one are not in it.
    """
    part = f", {len(view):,} of {view.of:,} drawn by chance" if len(view) < view.of else ""
    message = (
        f"Each of the {len(view):,} points is a sample{part}; what lies close is alike. Only neighbourhoods mean "
        f"something: axes and distances between groups don't. Laid out by {view.method}."
    )
    recall_n = np.full(len(view), np.nan) if view.recall_n is None else view.recall_n
    scored = bool((~np.isnan(recall_n)).any())
    order = np.argsort(~np.isnan(recall_n), kind="stable")  # what has scores is drawn on top
    picture_n = np.array([pictures.get(media_id, -1) for media_id in view.media_ids])
    cluster_n = None if clusters is None or view.cluster_n is None else clusters.places_of(view.cluster_n)
    noun = None if clusters is None or cluster_n is None else clusters.tail.noun
    data = {
        "ids": [view.sample_ids[row] for row in order],
        "texts": [view.texts[row] for row in order],
        "x": _packed(view.place_n2[order, 0], "f4"),
        "y": _packed(view.place_n2[order, 1], "f4"),
        "cluster": None if cluster_n is None else _packed(cluster_n[order], "i4"),
        "recall": _packed(_percent(recall_n)[order], "u1") if scored else None,
        "picture": _packed(picture_n[order], "i4") if pictures else None,
    }
    return Section(
        id="map",
        title="The map",
        words=[message],
        include="map.html",
        content={"message": message, "colours": _colours(noun, scored=scored), "noun": noun},
        data={"map": data},
    )


def _colours(noun: str | None, *, scored: bool) -> dict[str, str]:
    """What the map may be coloured by, in words, by the value of its control: of neighborhoods each has one sample."""
    colours = {"cluster": "cluster"} if noun == "cluster" else {}
    if noun is not None:
        colours["size"] = f"{noun} size"
    if scored:
        colours["recall"] = f"whether found within {FOUND_WITHIN}"
    return colours


def _percent(share_n: NDArray[np.float64]) -> NDArray[np.float64]:
    percent_n: NDArray[np.float64] = np.where(np.isnan(share_n), _NOT_SCORED, np.rint(100 * np.nan_to_num(share_n)))
    return percent_n


def _packed(values: NDArray[Any], kind: str) -> dict[str, str]:
    """Numbers as base64 of their bytes, little-endian: far shorter than their digits."""
    typed = np.ascontiguousarray(values, np.dtype(_TYPES[kind]).newbyteorder("<"))
    return {"dtype": kind, "bdata": base64.b64encode(typed.tobytes()).decode()}
