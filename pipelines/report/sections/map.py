"""The map: samples laid out so that what is alike lies together, with the data that the page's script draws."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.report.clusters import WITHIN, Clusters
from pipelines.report.page import Section
from pipelines.views.map import SampleMap

_TYPES = {"f4": np.float32, "i4": np.int32, "u1": np.uint8}
_NOT_SCORED = 255


def map_section(view: SampleMap, clusters: Clusters, picture_n: NDArray[np.int64] | None) -> Section:
    """The map of samples.

    Args:
        view: The samples and where they lie.
        clusters: Clusters that the samples are in.
        picture_n: Number of the thumbnail of each sample ``(n,)``, -1 for none; None where there are none.
    """
    shown = len(view.sample_ids)
    part = f", {shown:,} of {view.total:,} drawn at random" if shown < view.total else ""
    message = (
        f"Each of the {shown:,} points is a sample{part}; what lies close has similar texts. Only neighbourhoods mean "
        f"something: axes and distances between groups don't. Laid out by {view.method}."
    )
    place = {int(number): row for row, number in enumerate(clusters.number_c)}
    data = {
        "ids": view.sample_ids,
        "texts": view.texts,
        "x": _packed(view.x_n, "f4"),
        "y": _packed(view.y_n, "f4"),
        "cluster": _packed(np.array([place[max(int(each), -1)] for each in view.cluster_n]), "i4"),
        "recall": None if view.recall_n is None else _packed(_percent(view.recall_n), "u1"),
        "picture": None if picture_n is None else _packed(picture_n, "i4"),
    }
    content = {"message": message, "has_recall": view.recall_n is not None, "within": WITHIN}
    return Section(id="map", title="The map", words=[message], include="map.html", content=content, data={"map": data})


def _percent(share_n: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(share_n), _NOT_SCORED, np.rint(100 * np.nan_to_num(share_n)))


def _packed(values: NDArray[Any], kind: str) -> dict[str, str]:
    """Numbers as base64 of their bytes, little-endian, which is far shorter than their digits."""
    typed = np.ascontiguousarray(values.astype(np.dtype(_TYPES[kind]).newbyteorder("<")))
    return {"dtype": kind, "bdata": base64.b64encode(typed.tobytes()).decode()}
