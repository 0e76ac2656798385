"""The runs of a sweep as a table, a row each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipelines.sweep.runs import Run
from pipelines.sweep.space import OPTIONS

_FIXED = {
    "run": pa.string(),
    "strategy": pa.string(),
    "loss": pa.string(),
    "stage": pa.string(),
    "number": pa.int64(),
    "seed": pa.int64(),
    "split": pa.string(),
    "failed": pa.string(),
    "settings": pa.string(),
}
_OPTION_TYPES = {
    "level": pa.float64(),
    **{
        name: pa.string() if option.choices and isinstance(option.choices[0], str) else pa.float64()
        for name, option in OPTIONS.items()
    },
}


def run_table(found: Sequence[tuple[Run, Mapping[str, Any]]]) -> pa.Table:
    """One row a run.

    Returns:
        ``run`` (its folder in ``runs``), ``strategy``, ``loss``, ``stage`` (``search`` or ``test``), ``number`` (of the
        trial; the seed of a test), ``seed``, ``split``, ``failed`` (why it came to nothing, else null), ``settings``
        (of ``mmts train``, as JSON), the options that were drawn, null where the strategy has no such; ``recall_sum``,
        ``text_to_media_recall@1`` and so on, and the same of the thirds, on ``split``; the same on validation as
        ``validation_recall_sum``; ``best_epoch``, ``steps`` and ``seconds``.
    """
    rows = []
    for run, metrics in found:
        about = metrics["run"]
        row = {name: about[name] for name in ("strategy", "loss", "stage", "number", "seed", "split")}
        row |= {"run": run.name, "failed": metrics.get("failed"), "settings": json.dumps(run.settings)}
        row |= {**about["options"], **about.get("scores", {})}
        of_validation = {name: value for name, value in about.get("validation", {}).items() if name != "epoch"}
        row |= {f"validation_{name}": value for name, value in of_validation.items()}
        row |= {name: about.get(name) for name in ("best_epoch", "steps", "seconds")}
        rows.append(row)
    types = {**_FIXED, **_OPTION_TYPES}
    names = dict.fromkeys([*_FIXED, *(name for name in _OPTION_TYPES if any(name in row for row in rows))])
    names |= dict.fromkeys(name for row in rows for name in row)
    integers = ("best_epoch", "steps")
    fields = [(name, pa.int64() if name in integers else types.get(name, pa.float64())) for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
