"""Clusters: the largest and smallest with labels and shifts, and all others behind a search and a click."""

from pipelines.report.clusters import Clusters
from pipelines.report.page import Section

_NUMBERS = ("size", "shift", "recall", "queries")


def clusters_section(clusters: Clusters) -> Section:
    """The table of clusters, which a click on the map or on the tail filters."""
    return Section(
        id="clusters",
        title=f"{clusters.tail.noun.capitalize()}s",
        include="clusters.html",
        content={"columns": clusters.columns(), "numbers": _NUMBERS, "noun": clusters.tail.noun},
        data={"clusters": clusters.rows(), "noun": clusters.tail.noun},
    )
