"""Your tail: how many training samples each kind has, and what that makes of the shifts."""

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.artifacts import Provenance, read_provenance
from pipelines.report.clusters import Clusters
from pipelines.report.figures import COLORS, axis, line, log_axis, plain
from pipelines.report.page import Chart, Section, Table
from pipelines.report.sources import Sources
from pipelines.views.shifts import ShiftRules, read_shift_rules
from pipelines.words import counted

_TABLED = 50
_THIRDS = ("tail", "middle", "head")


def tail_section(sources: Sources, clusters: Clusters) -> Section:
    """Clusters by size with their shifts, the rules side by side, and the table that a click filters."""
    charts = [_sizes(clusters)]
    provenance = None if sources.shifts is None else read_provenance(sources.shifts)
    if sources.clusters is not None and clusters.tail.shifts is not None:
        range_of: dict[str, Any] = {} if provenance is None else provenance.parameters
        low, high = range_of.get("minimum", 0.0), range_of.get("maximum", 0.0)
        rises = low < high
        # Of other shifts the range isn't known, or they fall with size: shares of the range hold for all.
        unit = "shift" if rises else "shift (share of the range)"
        rules = read_shift_rules(
            sources.clusters,
            annotations=sources.annotations,
            minimum=low if rises else 0.0,
            maximum=high if rises else 1.0,
        )
        if len(rules.size_u) > 1:
            charts += [_rules(rules, unit, provenance), _spread(rules, unit)]
    return Section(
        id="tail",
        title="Your tail",
        words=_words(sources.clusters, clusters),
        charts=charts,
    )


def _words(path: Path | None, clusters: Clusters) -> list[str]:
    tail = clusters.tail
    size_k = tail.size_k[: tail.seen]
    if tail.centers is not None:
        return [
            f"Neighborhoods of {tail.counted(tail.seen)}{f' in {path.name}' if path else ''}, which overlap: the "
            f"largest holds {size_k[0]:,} training samples, the smallest {size_k[-1]:,}. Gini coefficient "
            f"{tail.gini:.2f}, as if they didn't overlap: 0 if all were equal, toward 1 the longer the tail."
        ]
    tenth = -(-len(size_k) // 10)
    share = size_k[:tenth].sum() / size_k.sum()
    unseen = len(tail.size_k) - len(size_k)
    lines = [
        f"{counted(len(size_k), 'cluster')} of training samples{f' in {path.name}' if path else ''}: the largest holds "
        f"{size_k[0]:,}, the smallest {size_k[-1]:,}. The largest tenth holds {share:.0%} of the training samples. "
        f"Gini coefficient {tail.gini:.2f}: 0 if all were equal, toward 1 the longer the tail."
    ]
    if unseen:
        lines.append(f"{counted(unseen, 'more cluster')} {'has' if unseen == 1 else 'have'} no training sample at all.")
    if clusters.noise:
        lines.append(f"{counted(clusters.noise, 'sample')} in no cluster (noise), each counted as rare, of size 1.")
    return lines


def _sizes(clusters: Clusters) -> Chart:
    tail = clusters.tail
    seen = len(tail) if tail.centers is None else tail.seen
    kind = tail.noun
    place_k = np.arange(1, seen + 1)
    data: list[dict[str, Any]] = [
        line(
            "training samples",
            place_k,
            tail.size_k[:seen],
            "--blue",
            customdata=clusters.place_k[:seen].tolist(),
            line={"shape": "hvh"},
        )
        | {
            "fill": "tozeroy",
            "mode": "lines+markers",
            "marker": {"size": 4},
            "hovertemplate": f"{kind} %{{x}} by size: %{{y:,}} samples<extra></extra>",
        }
    ]
    layout: dict[str, Any] = {
        "xaxis": axis(f"{kind}, largest first", rangemode="tozero"),
        "yaxis": axis("training samples", rangemode="tozero"),
        "hovermode": "closest",
    }
    columns, extra = [f"{kind}, by size", "name", "training samples", "third"], []
    largest, smallest = tail.size_k[0], tail.size_k[seen - 1]
    message = f"From {largest:,} training samples in the largest {kind} to {smallest:,} in the smallest."
    if tail.shifts is not None:
        of = tail.shifts
        data.append(
            line("shift", place_k, of.mean_k[:seen], "--red", yaxis="y2", customdata=clusters.place_k[:seen].tolist())
            | {
                "mode": "markers",
                "marker": {"size": 5, "color": "--red"},
                "hovertemplate": "shift %{y:.4g}<extra></extra>",
            }
        )
        layout["yaxis2"] = axis(
            "shift (mean of its samples)", overlaying="y", side="right", showgrid=False, rangemode="tozero"
        )
        columns.append("shift")
        extra = [f"{shift:.4g}" for shift in of.mean_k[:seen]]
        message += f" Shifts reach from {of.minimum_k.min():.4g} to {of.maximum_k.max():.4g}."
    message += f" A click on a {kind} shows it alone in the table of {kind}s."
    rows = [
        [
            f"{place:,}",
            clusters.name_of(row),
            f"{tail.size_k[row]:,}",
            _THIRDS[tail.third_k[row]],
            *extra[row : row + 1],
        ]
        for row, place in enumerate(place_k[:_TABLED])
    ]
    more = f", the largest {_TABLED} of {seen:,}" if seen > _TABLED else ""
    return Chart(
        "tail-sizes",
        f"{kind.capitalize()}s by size",
        message,
        {"data": data, "layout": layout},
        Table(f"{kind.capitalize()}s{more}", columns, rows, words=["name", "third"]),
    )


def _rules(rules: ShiftRules, unit: str, provenance: Provenance | None) -> Chart:
    used = None if provenance is None else provenance.parameters.get("rule")
    data = [
        line(f"{name}{' (in use)' if name == used else ''}", rules.size_u, each.shift_u, color, line={"dash": dash})
        | {"mode": "lines+markers", "marker": {"size": 4}}
        for (name, each), color, dash in zip(rules.rules.items(), COLORS, ("solid", "dash", "dot"), strict=False)
    ]
    near, noun = ("in the cluster", "cluster") if rules.centers is None else ("near", "neighborhood")
    sizes = log_axis(f"training samples {near}", rules.size_u[0], rules.size_u[-1])
    layout = {"xaxis": sizes, "yaxis": axis(unit)}
    in_use = f" These shifts were made with the rule {used}." if used else ""
    message = f"Each rule gives the smallest {noun} the same shift, and the largest; they differ in between.{in_use}"
    picked = np.unique(np.linspace(0, len(rules.size_u) - 1, 12).astype(int))
    rows = [
        [f"{rules.size_u[row]:,}", *(f"{each.shift_u[row]:.4g}" for each in rules.rules.values())] for row in picked
    ]
    table = Table(f"Shift by {noun} size", ["training samples", *rules.rules], rows)
    title = f"Shift by {noun} size, for each rule"
    return Chart("shift-rules", title, message, {"data": data, "layout": layout}, table)


def _spread(rules: ShiftRules, unit: str) -> Chart:
    middle_b = (rules.edges[:-1] + rules.edges[1:]) / 2
    data = [
        {"type": "bar", "name": name, "x": plain(middle_b), "y": each.samples_b.tolist(), "marker": {"color": color}}
        for (name, each), color in zip(rules.rules.items(), COLORS, strict=False)
    ]
    counted_samples = rules.centers or "training samples"
    layout = {"xaxis": axis(unit), "yaxis": axis(counted_samples), "barmode": "group", "bargap": 0.15}
    half = {
        name: each.samples_b[len(each.samples_b) // 2 :].sum() / each.samples_b.sum()
        for name, each in rules.rules.items()
    }
    shares = ", ".join(f"{name} {share:.0%}" for name, share in half.items())
    message = (
        f"How many {counted_samples} each rule leaves where in the range. In the upper half of the range: {shares}."
    )
    rows = [
        [f"{low:.4g} to {high:.4g}", *(f"{each.samples_b[row]:,}" for each in rules.rules.values())]
        for row, (low, high) in enumerate(zip(rules.edges[:-1], rules.edges[1:], strict=True))
    ]
    table = Table("Training samples by shift", ["shift", *rules.rules], rows)
    return Chart(
        "shift-spread", "Training samples by shift, for each rule", message, {"data": data, "layout": layout}, table
    )
