"""Training: how loss, scores, temperatures and learning rate went, and the temperatures that shifts give each third."""

from typing import Any

import numpy as np

from pipelines.report.figures import axis, line, plain, ribbon
from pipelines.report.page import Chart, Section, Table
from pipelines.views.band import Band
from pipelines.views.curves import Curves
from pipelines.words import counted

_TABLED = 12
_METRICS = {
    "text_to_media_recall@1": ("text to media R@1", "--blue", "solid"),
    "text_to_media_recall@5": ("text to media R@5", "--green", "solid"),
    "text_to_media_recall@10": ("text to media R@10", "--orange", "solid"),
    "media_to_text_recall@1": ("media to text R@1", "--blue", "dot"),
    "media_to_text_recall@5": ("media to text R@5", "--green", "dot"),
    "media_to_text_recall@10": ("media to text R@10", "--orange", "dot"),
}


def training_section(curves: Curves | None, planned: Band | None, of_band: str) -> Section:
    """How a run went, and the band of temperatures of head, middle and tail.

    Args:
        curves: The run; None where there is none.
        planned: Its band, or the one that shifts would give; None where temperatures don't follow from shifts.
        of_band: What the band belongs to, in words.
    """
    charts = [] if curves is None else [_loss(curves), *_validation(curves), *_temperatures(curves), _rate(curves)]
    if planned is not None:
        charts.insert(min(2, len(charts)), _band(planned, of_band))
    return Section(id="training", title="Training", words=[] if curves is None else [_words(curves)], charts=charts)


def best_epoch_said(curves: Curves) -> str:
    """Which epoch was kept, and whether it was the last."""
    if curves.best_epoch is None or not len(curves.epoch_v):
        return ""
    last = int(curves.epoch_v[-1])
    if curves.best_epoch < last:
        return f"The best epoch by {curves.metric} was {curves.best_epoch} of {last}; later ones scored lower."
    return f"The last epoch, {last}, was the best by {curves.metric}: longer training may still gain."


def _words(curves: Curves) -> str:
    first, last = curves.loss_p[0], curves.loss_p[-1]
    loss = f"{counted(curves.steps, 'step')}; the loss went from {first:.3g} to {last:.3g}."
    return f"{loss} {best_epoch_said(curves)}".strip()


def _loss(curves: Curves) -> Chart:
    aggregated = len(curves.step_p) < curves.steps
    data = [line("loss", curves.step_p, curves.loss_p, "--blue")]
    message = f"From {curves.loss_p[0]:.3g} to {curves.loss_p[-1]:.3g}, lowest {curves.loss_min_p.min():.3g}."
    if aggregated:
        data = [*ribbon(curves.step_p, curves.loss_min_p, curves.loss_max_p, "--blue"), *data]
        message += " Each point is the mean of several steps; the band reaches from their lowest to their highest."
    layout = {"xaxis": axis("step"), "yaxis": axis("loss"), "showlegend": False}
    return Chart("loss", "Loss", message, {"data": data, "layout": layout}, _by_step(curves, "loss", curves.loss_p))


def _rate(curves: Curves) -> Chart:
    rate = curves.learning_rate_p
    data = [line("learning rate", curves.step_p, rate, "--green")]
    message = f"Highest {rate.max():.3g}, at the end {rate[-1]:.3g}."
    layout = {"xaxis": axis("step"), "yaxis": axis("learning rate"), "showlegend": False}
    return Chart(
        "rate", "Learning rate", message, {"data": data, "layout": layout}, _by_step(curves, "learning rate", rate)
    )


def _temperatures(curves: Curves) -> list[Chart]:
    low, high = curves.temperature_min_p.min(), curves.temperature_max_p.max()
    if low == high:
        return []
    what = curves.quantity
    data = [
        *ribbon(curves.step_p, curves.temperature_min_p, curves.temperature_max_p, "--orange"),
        line(f"mean {what}", curves.step_p, curves.temperature_mean_p, "--orange"),
    ]
    message = f"From {low:.3g} to {high:.3g} over all pairs of the batches; the line is their mean."
    layout = {"xaxis": axis("step"), "yaxis": axis(what), "showlegend": False}
    table = _by_step(curves, f"mean {what}", curves.temperature_mean_p)
    return [Chart("temperature", f"{what.capitalize()} in training", message, {"data": data, "layout": layout}, table)]


def _validation(curves: Curves) -> list[Chart]:
    if not len(curves.epoch_v):
        return []
    shown = {name: of for name, of in curves.scores.items() if name in _METRICS} or dict(curves.scores)
    data: list[dict[str, Any]] = []
    for name, values in shown.items():
        title, color, dash = _METRICS.get(name, (name, "--blue", "solid"))
        style = {"mode": "lines+markers", "marker": {"size": 5}}
        data.append(line(title, curves.epoch_v, values, color, line={"dash": dash}) | style)
    layout: dict[str, Any] = {
        "xaxis": axis("epoch", tickformat="d"),
        "yaxis": axis("%" if shown.keys() <= _METRICS.keys() else "score"),
    }
    if curves.best_epoch is not None:
        layout["shapes"] = [
            {
                "type": "line",
                "x0": curves.best_epoch,
                "x1": curves.best_epoch,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": "--faint", "dash": "dash", "width": 1},
            }
        ]
    picked = np.unique(np.linspace(0, len(curves.epoch_v) - 1, _TABLED).astype(int))
    rows = [[str(curves.epoch_v[row]), *(f"{values[row]:.1f}" for values in curves.scores.values())] for row in picked]
    table = Table("Scores of validation", ["epoch", *(name.replace("_", " ") for name in curves.scores)], rows)
    message = f"{best_epoch_said(curves)} The dashed line marks it."
    return [Chart("validation", "Validation", message, {"data": data, "layout": layout}, table)]


def _band(band: Band, of_band: str) -> Chart:
    data: list[dict[str, Any]] = []
    thirds = [each for each in band.lines if each.name != "all" and each.cluster_sizes is not None]
    for each in thirds:
        low, high = each.cluster_sizes or (0, 0)
        color, sizes = f"--{each.name}", f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
        data += ribbon(each.steps, each.minimum, each.maximum, color)
        data.append(line(f"{each.name}: {sizes} samples alike", each.steps, each.mean, color))
    layout = {"xaxis": axis("step"), "yaxis": axis(band.quantity, rangemode="tozero")}
    what = ", ".join(f"{name} {value:g}" for name, value in band.settings.items())
    message = (
        f"{of_band} ({what}): {band.quantity} from {band.lowest:.3g} to {band.highest:.3g}. Lines are means of thirds "
        f"of {band.thirds_of}, bands reach from the lowest to the highest."
    )
    rows = [
        [each.name, *(f"{value:.4g}" for value in (np.min(each.minimum), np.mean(each.mean), np.max(each.maximum)))]
        for each in band.lines
    ]
    table = Table(f"{band.quantity.capitalize()} over the whole run", ["samples", "lowest", "mean", "highest"], rows)
    title = f"{band.quantity.capitalize()} of head, middle and tail"
    return Chart("band", title, message, {"data": data, "layout": layout}, table)


def _by_step(curves: Curves, name: str, values: Any) -> Table:
    picked = np.unique(np.linspace(0, len(values) - 1, _TABLED).astype(int))
    rows = [
        [f"{step:,.0f}", f"{value:.4g}"]
        for step, value in zip(curves.step_p[picked], plain(values[picked]), strict=True)
    ]
    return Table(f"{name.capitalize()} by step", ["step", name], rows)
