"""What ``train`` did, in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.artifacts import StageResult, read_provenance
from pipelines.artifacts.run_config import read_run_parameters
from pipelines.contrast import LOSSES
from pipelines.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType


class RunResult(StageResult):
    """What ``train`` did; its output is the run's folder."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that it was trained with.

        Raises:
            InputError: The folder's ``config.json`` can't be read any more.
        """
        return read_run_parameters(self.output)

    def shown(self, width: int) -> "Iterator[RenderableType]":
        """How long it trained, in which range of temperatures, and how well the best epoch did."""
        summary, quantity = self.summary, LOSSES[self.parameters["loss"]].quantity
        yield self.headline
        # A run of an earlier version, still up to date, doesn't say it.
        settings = summary.get("temperature_settings", {})
        told = f" ({', '.join(f'{name} {number:.4g}' for name, number in settings.items())})" if settings else ""
        yield (
            f"{summary['steps']:,} steps, {summary['epochs']} epochs; {quantity} {summary['temperature_min']:.4g} .. "
            f"{summary['temperature_max']:.4g}{told}; final loss {summary['final_loss']:.4f}"
        )
        if summary["validation"] is not None:
            scores = summary["validation"]
            metric = self.parameters.get("metric", "recall_sum")
            chosen = "" if metric == "recall_sum" else f"{metric.replace('_', ' ')} {scores[metric]:.1f}, "
            yield (
                f"best epoch {summary['best_epoch']} by validation: {chosen}recall sum {scores['recall_sum']:.1f}, "
                f"R@1 {scores['text_to_media_recall@1']:.1f} text to media, "
                f"{scores['media_to_text_recall@1']:.1f} media to text"
            )


def read_result(folder: Path) -> RunResult:
    """What ``train`` returned when it wrote a folder.

    Raises:
        InputError: It holds no complete run.
    """
    if not (folder / "metrics.json").exists():
        raise InputError(f"{folder}: is not the folder of a complete run; make one with `mmts train`")
    provenance = read_provenance(folder / "steps.parquet")
    if provenance is None:
        raise InputError(f"{folder / 'steps.parquet'}: doesn't say what made it, another tool rewrote it; train again")
    return RunResult(folder, True, provenance.summary, opened=True)
