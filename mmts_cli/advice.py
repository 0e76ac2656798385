"""What ``mmts advise`` and ``mmts cluster --sweep`` found: tables, and a recommendation in words."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmts_cli.chain import shell_line
from mmts_cli.labels import label_tables
from mmts_cli.options import counted

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
        yield f"{result['output']}: {'up to date' if result['up_to_date'] else 'written'}"
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
    if clusterings is None:
        tail = " with a tail" if any(each["clusterings"] for each in result["candidates"]) else ""
        yield f"no k{tail} is stable: {goal:g} takes means of more than {most} clusterings at every k{tail}"
        yield f"closest: k {k}, averaged over {most} clusterings: rank correlation {best['agreement']:.2f}"
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
    if not best["has_tail"]:
        yield f"hardly a tail: clusters are much of one size (Gini {best['gini']:.2f}); balancing can't do much here"
    if result["classes"] is not None:
        path, columns = result["classes"]["annotations"], result["classes"]["columns"]
        line = ["cluster", path, "-o", "classes.parquet", "--method", "class", "--column", columns[0]]
        yield f"{path} has classes ({', '.join(columns)}), whose sizes no seed changes: {shell_line(line)}"
    yield "not told by these figures: whether shifts help, and at which k; validation tells (mmts sweep)"


def _takes(candidate: dict[str, Any], most: int) -> str:
    """``12 (k 50)``."""
    tail = "" if candidate["has_tail"] else ", hardly a tail"
    return f"{candidate['clusterings'] or f'over {most}'} (k {candidate['k']}{tail})"


def _commands(result: dict[str, Any], shared: Mapping[str, Any], *, kept: bool) -> list[str]:
    """The command lines that make the recommended shifts; clusterings that a sweep has kept are not made again."""
    best, rule = result["advice"], result["rule"]
    clusterings = best["clusterings"] or result["most"]
    flags = [word for name, value in shared.items() for word in _typed(name, value)]
    lines = []
    if clusterings == 1 and not kept:
        files = ["clusters.parquet"]
        lines.append(["cluster", result["source"], "-o", *files, "--k", str(best["k"]), *flags])
    else:
        folder = Path(result["output"] if kept else "clusters")
        files = [str(folder / f"k{best['k']}-seed{seed}.parquet") for seed in range(clusterings)]
        if not kept or clusterings > result["seeds"]:
            sweep = ["--sweep", str(best["k"]), "--seeds", str(clusterings)]
            lines.append(["cluster", result["source"], "-o", str(folder), *sweep, *flags])
    # The paper's range; what is best is for validation to say.
    lines.append(["shifts", *files, "-o", "shifts.parquet", "--min", "0.05", "--max", "0.2", "--rule", rule])
    return [shell_line(line) for line in lines]


def _typed(name: str, value: Any) -> list[str]:
    """An option as it is typed: not at all where it wasn't given, a switch by that of its two flags that says it."""
    from pipelines.cluster.methods import METHODS

    flags = {option.name: option.flags for option in METHODS["kmeans"].options}
    if value is None or (name, value) == ("by", "text"):
        return []
    flag = flags.get(name, f"--{name.replace('_', '-')}")
    return [flag.split("/")[not value]] if isinstance(value, bool) else [flag, str(value)]
