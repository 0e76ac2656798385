"""Flags of ``mmts prepare`` that make the training split long-tailed, and how the result looks."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.errors import InputError

if TYPE_CHECKING:
    from pipelines.annotations import Imbalance

_PANEL = "Long tail"

ImbalanceOption = Annotated[
    float | None,
    typer.Option(
        "--imbalance",
        help="Drop training media until the largest class is this many times the smallest (default: off).",
        rich_help_panel=_PANEL,
    ),
]
ProfileOption = Annotated[
    Literal["exp", "zipf", "pareto"] | None,
    typer.Option("--profile", help="How class sizes fall with their rank (default: exp).", rich_help_panel=_PANEL),
]
ByOption = Annotated[
    str | None,
    typer.Option("--by", help="Column that holds the class, or a clusters file (.parquet).", rich_help_panel=_PANEL),
]
ImbalanceSeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, max=2**32 - 1, help="Chooses the media that stay (default: 0).", rich_help_panel=_PANEL
    ),
]


def imbalance_of(ratio: float | None, profile: str | None, by: str | None, seed: int | None) -> "Imbalance | None":
    """What the flags ask for; None where they ask for nothing.

    Raises:
        InputError: One of them is there without another that it needs, or the ratio is out of range.
    """
    if ratio is None:
        others = {"--profile": profile, "--by": by, "--seed": seed}
        if alone := next((flag for flag, value in others.items() if value is not None), None):
            raise InputError(f"{alone} needs --imbalance (such as --imbalance 100)")
        return None
    if by is None:
        raise InputError("--imbalance needs --by: the column that holds the class, or a clusters file (.parquet)")
    from pipelines.annotations import Imbalance

    return Imbalance(ratio, by, profile or "exp", seed or 0)


def imbalance_line(figures: dict[str, Any]) -> str:
    """What a person is told of a training split that was cut."""
    return (
        f"train: {figures['rows_before']:,} -> {figures['rows_after']:,} samples, {figures['media_before']:,} -> "
        f"{figures['media_after']:,} media; {figures['classes']:,} classes of {figures['largest']:,} to "
        f"{figures['smallest']:,} media: ratio {figures['ratio']:.4g}, Gini {figures['gini']:.3f}"
    )
