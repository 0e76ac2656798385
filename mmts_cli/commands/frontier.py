"""``mmts frontier``: what a gain on the tail costs on the head, over all trials of a sweep."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmts_cli.command import stage_command
from mmts_cli.options import ForceOption

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mmts_cli.console import Output

PreferOption = Annotated[
    Literal["head", "balanced", "tail", "overall"] | None,
    typer.Option("--prefer", help="Pick the best trial for this side, and show what it costs on the other."),
]

_SHOWN = ("head", "tail", "overall")


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    stage_command(app, "frontier")(frontier)


def frontier(
    console: "Output",
    sweep: Annotated[Path, typer.Argument(help="Folder that 'mmts sweep' wrote.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write all trials to this Parquet file.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw head against tail (.png, .svg or .pdf).")
    ] = None,
    prefer: PreferOption = None,
    force: ForceOption = False,
) -> None:
    """Show what a gain on the tail costs on the head.

    Of all trials of a sweep, those on the Pareto front: no other has as much of head and tail recall and more of one.
    Scores are those of the validation split.

    Example: mmts frontier sweep --picture frontier.png

    Example: mmts frontier sweep --prefer tail
    """
    from pipelines.sweep import frontier as run

    if picture is not None:
        from pipelines.plot.style import require_picture

        require_picture(picture, [] if output is None else [output])
    result = run(sweep, output, prefer=prefer, force=force)
    if picture is not None:
        from pipelines.plot.frontier import draw_frontier
        from pipelines.plot.style import write_picture
        from pipelines.views.frontier import frontier_of

        title = f"{result['trials']} trials on {result['split']}, head against tail"
        write_picture(picture, lambda figure: draw_frontier(figure, frontier_of(result)), title=title)
    written = {name: None if path is None else str(path) for name, path in (("output", output), ("picture", picture))}
    console.result(
        {"command": "frontier", **written, **result}, lambda: _human(result, [*filter(None, written.values())])
    )


def _human(result: dict[str, Any], written: list[str]) -> "Iterator[RenderableType]":
    for path in written:
        yield f"{path}: written"
    front = f"{len(result['front'])} of them on the front of head against tail"
    yield f"{result['sweep']}: {result['trials']} trials on {result['split']}, {front}"
    yield ""
    yield _table(result)
    yield ""
    yield "intervals are over queries alone: each trial is one run, and another seed would score differently"
    yield f"the best of {result['trials']} trials looks better than it is: expect less on new data"
    if result["picked"] is not None:
        yield ""
        yield from _picked(result)


def _table(result: dict[str, Any]) -> "Table":
    """The front from head to tail; below it the best overall and the baseline's best, where they are not on it."""
    from rich.table import Table

    from pipelines.sweep.settings import options_words
    from pipelines.sweep.words import plus_minus

    points = {point["run"]: point for point in result["points"]}
    picked = None if result["picked"] is None else result["picked"]["run"]
    title = "mean of R@1, R@5, R@10 of both directions ± half the 95% interval"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="")
    for name in ("", "strategy"):
        table.add_column(name, no_wrap=True)
    table.add_column("options", overflow="fold")
    for name in _SHOWN:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for run in dict.fromkeys([*result["front"], result["best"]["overall"], result["baseline"]]):
        point = points[run]
        best_for = ", ".join(name for name, of_preference in result["best"].items() if of_preference == run)
        notes = [
            f"best {best_for}" if best_for else "",
            "baseline" if run == result["baseline"] else "",
            "" if point["on_front"] else "not on the front",
        ]
        scores = (plus_minus(point["scores"][name]) for name in _SHOWN)
        star = "*" if run == picked else ""
        table.add_row(star, point["name"], options_words(point["options"]), *scores, "; ".join(filter(None, notes)))
    return table


def _picked(result: dict[str, Any]) -> Iterator[str]:
    """What was picked, what it gains and costs, and how to train it."""
    from pipelines.remote import as_path

    points = {point["run"]: point for point in result["points"]}
    picked = result["picked"]
    yield f"* best {picked['prefer']}: {_setting(points[picked['run']])}"
    for run, words in _references(result).items():
        if run == picked["run"]:
            yield f"  it is {words}"
        else:
            differences = next(each["differences"] for each in picked["against"].values() if each["run"] == run)
            yield f"  minus {words} ({_setting(points[run])}): {_with_intervals(differences, '+')}"
    tested = picked["tested"]
    if tested is None:
        yield "  no other seed of it was run: before relying on it, train several and compare them on another split"
    else:
        seeds = f"{tested['seeds']} seed{'s' * (tested['seeds'] != 1)}"
        yield f"  on {tested['split']}, {seeds}: {_with_intervals(tested['scores'])}"
        if tested["differences"] is not None:
            yield f"  on {tested['split']}, minus the baseline: {_with_intervals(tested['differences'], '+')}"
    yield _train_command(picked["settings"], as_path(result["sweep"]) / picked["prefer"])


def _references(result: dict[str, Any]) -> dict[str, str]:
    """What the picked trial is compared with, in words, by run."""
    baseline, overall = result["baseline"], result["best"]["overall"]
    if baseline == overall:
        return {baseline: "the baseline's best trial, which is also the best overall"}
    return {baseline: "the baseline's best trial", overall: "the best overall"}


def _setting(point: dict[str, Any]) -> str:
    from pipelines.sweep.settings import options_words

    return f"{point['name']} with {options_words(point['options'])}"


def _with_intervals(scores: dict[str, Any], sign: str = "") -> str:
    """Tail, head and overall, each with its interval, and its verdict where there is one."""

    def words(name: str) -> str:
        score = scores[name]
        interval = "" if score["low"] is None else f" ({score['low']:{sign}.1f} to {score['high']:{sign}.1f})"
        verdict = f" {score['verdict']}" if score.get("verdict") in ("better", "worse") else ""
        return f"{name} {score['value']:{sign}.1f}{interval}{verdict}"

    return ", ".join(map(words, ("tail", "head", "overall")))


def _train_command(settings: dict[str, Any], output: Path) -> str:
    """The command that trains a setting."""
    from mmts_cli.chain import shell_line

    words = ["train", settings["annotations"], "--output", str(output)]
    for name, value in settings.items():
        if name != "annotations":
            flag = f"--{name.replace('_', '-')}"
            values = value if isinstance(value, list) else [value]
            words += [flag] if value is True else [word for each in values for word in (flag, str(each))]
    return shell_line(words)
