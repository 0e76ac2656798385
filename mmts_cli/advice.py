"""What ``mmts advise`` and ``mmts cluster --sweep`` found: tables, and a recommendation in words."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmts_cli.chain import shell_line
from mmts_cli.labels import label_tables
from mmts_cli.options import counted
from pipelines.words import written

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mmts_cli.console import Output


def numbers(text: str, flag: str) -> tuple[int, ...]:
    """``50,100,200`` as numbers.

    Raises:
        InputError: It is no such list.
    """
    from pipelines.errors import InputError

    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError:
        raise InputError(f"{flag} {text}: expected whole numbers separated by commas, such as 50,100,200") from None


def show(console: "Output", command: str, result: dict[str, Any], shared: Mapping[str, Any]) -> None:
    """Show what was found.

    Args:
        console: Where to.
        command: ``advise``, or ``cluster`` where the clusterings were kept in the folder ``output``.
        result: What `pipelines.advise` returned.
        shared: Options of ``mmts cluster`` that all clusterings were made with, by name; None where not given.
    """
    lines = _commands(result, shared, kept=command == "cluster")
    words = [*_recommendation(result)]
    console.result(
        {"command": command, **result, "recommendation": words, "commands": lines},
        lambda: _human(result, words, lines, console.width),
    )


def _human(result: dict[str, Any], words: list[str], lines: list[str], width: int) -> "Iterator[RenderableType]":
    if result["output"] is not None:
        yield written(result["output"], up_to_date=result["up_to_date"])
    yield f"{result['rows']:,} samples, {counted(result['seeds'], 'clustering')} of each k"
    yield ""
    yield "clusterings: mean over seeds (lowest..highest)"
    yield _clusterings(result)
    yield ""
    yield f"shifts, --rule {result['rule']}: means of so many clusterings, against means of as many others"
    yield _shifts(result)
    yield ""
    yield from words
    if "labels" in result:
        yield ""
        yield f"one clustering with k {result['advice']['k']}, seed 0:"
        yield from label_tables(result["labels"], width)
    yield ""
    yield "to make these shifts:"
    yield from lines


def _clusterings(result: dict[str, Any]) -> "Table":
    table = _table("k", "adjusted Rand index", "Gini of sizes", "silhouette")
    for each in result["clusterings"]:
        table.add_row(f"{each['k']:,}", *(_cell(each[name]) for name in ("adjusted_rand", "gini", "silhouette")))
    return table


def _shifts(result: dict[str, Any]) -> "Table":
    table = _table("k", "mean of", "rank correlation", "correlation", "% in another third")
    for each in result["shifts"]:
        sign = "" if each["pairs"] else "~"
        table.add_row(
            f"{each['k']:,}" if each["averaged"] == 1 else "",
            str(each["averaged"]),
            sign + _cell(each["rank_correlation"]),
            _cell(each["correlation"]),
            _cell(each["changed_thirds"], digits=0),
        )
    return table


def _table(*heads: str) -> "Table":
    from rich.table import Column, Table

    return Table(*(Column(head, justify="right", no_wrap=True) for head in heads), box=None, pad_edge=False)


def _cell(figure: dict[str, float] | None, digits: int = 2) -> str:
    """``0.34 (0.09..0.52)``."""
    if figure is None:
        return "-"
    low, high = (f"{figure[end]:.{digits}f}" for end in ("low", "high"))
    return f"{figure['value']:.{digits}f} ({low}..{high})"


def _recommendation(result: dict[str, Any]) -> Iterator[str]:
    """What to make, why, and what the figures don't tell, a line each."""
    best, goal, most = result["advice"], result["wanted"], result["most"]
    k, clusterings = best["k"], best["clusterings"]
    if any(each["pairs"] == 0 for each in result["shifts"]):
        yield f"~: predicted from means of fewer, as {result['seeds']} clusterings are too few to compare"
        yield ""
    yield _tail(best)
    yield ""
    if clusterings is None:
        tail = " with a tail" if any(each["clusterings"] for each in result["candidates"]) else ""
        yield f"no k{tail} is stable: {goal:g} takes means of more than {most} clusterings at every k{tail}"
        yield f"closest: k {k}, averaged over {most} clusterings: rank correlation {best['agreement']:.2f}"
        yield "  mmts cluster --method knn counts the samples near each one instead, which no seed changes"
    elif clusterings == 1:
        yield f"recommended: k {k}, one clustering"
        yield f"why: the shifts of two have a rank correlation of {best['agreement']:.2f} (goal: {goal:g})"
    else:
        yield f"recommended: k {k}, averaged over {clusterings} clusterings"
        verb = "have" if best["measured"] else "should then have"
        figure = f"a rank correlation of {best['agreement']:.2f} (goal: {goal:g})"
        yield f"why: the shifts {verb} {figure} with those of {clusterings} other clusterings"
    if others := [_takes(each, most) for each in result["candidates"] if each["k"] != k]:
        yield f"  clusterings that other k take: {', '.join(others)}"
    if clusterings != 1:
        one = next(each for each in result["shifts"] if each["k"] == k and each["averaged"] == 1)
        yield (
            f"  one is not enough: the shifts of two correlate by {one['rank_correlation']['value']:.2f}, and "
            f"{one['changed_thirds']['value']:.0f}% of samples change thirds (by chance: 67%)"
        )
    if result["classes"] is not None:
        from pipelines.remote import as_path

        path, columns = result["classes"]["annotations"], result["classes"]["columns"]
        line = [
            "cluster",
            path,
            "-o",
            str(as_path(path).with_name("classes.parquet")),
            "--method",
            "class",
            "--column",
            columns[0],
        ]
        yield f"{path} has classes ({', '.join(columns)}), whose sizes no seed changes: {shell_line(line)}"
    yield "not told by these figures: whether shifts help, and at which k; validation tells (mmts sweep)"


def _tail(best: dict[str, Any]) -> str:
    """Whether there is a tail, and by which yardstick."""
    from pipelines.advise.choice import GINI_WITHOUT_STRUCTURE, LEAST_GINI

    verdict = f"Gini of sizes {best['gini']:.2f} at k {best['k']}"
    yardstick = f"from {LEAST_GINI:g} on a tail; up to {GINI_WITHOUT_STRUCTURE:g} without any structure"
    if best["has_tail"]:
        return f"a tail: {verdict} ({yardstick})"
    return f"hardly a tail: {verdict} ({yardstick}); balancing can't do much here"


def _takes(candidate: dict[str, Any], most: int) -> str:
    """``12 (k 50)``."""
    tail = "" if candidate["has_tail"] else ", hardly a tail"
    return f"{candidate['clusterings'] or f'over {most}'} (k {candidate['k']}{tail})"


def _commands(result: dict[str, Any], shared: Mapping[str, Any], *, kept: bool) -> list[str]:
    """The command lines that make the recommended shifts, beside the source; what a sweep has kept isn't made again."""
    from pipelines.remote import as_path

    best, rule = result["advice"], result["rule"]
    beside = as_path(result["source"]).parent
    clusterings = best["clusterings"] or result["most"]
    flags = [word for name, value in shared.items() for word in _typed(name, value)]
    lines = []
    if clusterings == 1 and not kept:
        files = shlex.quote(str(beside / "clusters.parquet"))
        lines.append(
            shell_line(
                ["cluster", result["source"], "-o", str(beside / "clusters.parquet"), "--k", str(best["k"]), *flags]
            )
        )
    else:
        folder = as_path(result["output"]) if kept else beside / "clusters"
        files = _files(folder / f"k{best['k']}-seed", clusterings, result["seeds"] if kept else 0)
        if not kept or clusterings > result["seeds"]:
            sweep = ["--sweep", str(best["k"]), "--seeds", str(clusterings)]
            lines.append(shell_line(["cluster", result["source"], "-o", str(folder), *sweep, *flags]))
    # The paper's range; what is best is for validation to say.
    output = shlex.quote(str(beside / "shifts.parquet"))
    lines.append(f"mmts shifts {files} -o {output} --min 0.05 --max 0.2 --rule {rule}")
    return lines


def _files(stem: Path, clusterings: int, there: int) -> str:
    """The files of so many clusterings, for a shell: by a pattern, which labels don't match, unless more are there."""
    if there > clusterings:
        return " ".join(shlex.quote(f"{stem}{seed}.parquet") for seed in range(clusterings))
    return f"{shlex.quote(str(stem))}*[0-9].parquet"


def _typed(name: str, value: Any) -> list[str]:
    """An option as it is typed: not at all where it wasn't given, a switch by that of its two flags that says it."""
    from pipelines.cluster.methods import METHODS

    flags = {option.name: option.flags for option in METHODS["kmeans"].options}
    if value is None or (name, value) == ("by", "text"):
        return []
    flag = flags.get(name, f"--{name.replace('_', '-')}")
    return [flag.split("/")[not value]] if isinstance(value, bool) else [flag, str(value)]
