"""Runs grouped by setting: those that differ in nothing but the seed stand for one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.compare.scored import Scored
from pipelines.errors import InputError


@dataclass(frozen=True)
class Setting:
    """The scored runs of one setting.

    Attributes:
        name: In what it differs from the other settings; the folder, where it isn't known how a run was trained.
        runs: Its runs, one a seed.
    """

    name: str
    runs: list[Scored]

    @property
    def seeds(self) -> list[int | None]:
        """The seed of each run; None where it isn't known."""
        return [run.trained["seed"] if run.trained else None for run in self.runs]


def group_by_setting(scored: Sequence[Scored]) -> list[Setting]:
    """The settings of some scored folders, in the order in which they are first met.

    Raises:
        InputError: Two folders hold the same seed of the same setting.
    """
    groups: dict[str, list[Scored]] = {}
    for each in scored:
        groups.setdefault(_key(each), []).append(each)
    for runs in groups.values():
        of_seed: dict[Any, Scored] = {}
        for run in runs:
            seed = None if run.trained is None else run.trained["seed"]
            if seed in of_seed:
                raise InputError(
                    f"{run.folder}: scores seed {seed} of the same setting as {of_seed[seed].folder}; leave one out, "
                    "or train with another --seed"
                )
            of_seed[seed] = run
    names = _names([runs[0] for runs in groups.values()])
    return [Setting(name, runs) for name, runs in zip(names, groups.values(), strict=True)]


def _key(scored: Scored) -> str:
    """What two runs of one setting have in common: parameters, what input files hold and prompts, but not the seed."""
    if scored.trained is None:
        return str(scored.folder)
    contents = {role: each["fingerprint"] for role, each in scored.trained["inputs"].items()}
    classes = {name: each if name == "templates" else each["fingerprint"] for name, each in scored.classes.items()}
    return json.dumps([scored.trained["parameters"], contents, classes], sort_keys=True)


def _names(first_runs: list[Scored]) -> list[str]:
    """A name for each setting: what differs between those whose training is known, else the folder."""
    described = [_described(run) for run in first_runs]
    known = [each for each in described if each is not None]
    differing = [key for key in _keys(known) if len({json.dumps(each.get(key)) for each in known}) > 1]
    names = []
    for run, description in zip(first_runs, described, strict=True):
        parts = [f"{key} {description[key]}" for key in differing if key in description] if description else []
        names.append(", ".join(parts) or str(run.folder))
    # Settings whose files have the same names but other contents are told apart by where their scores are.
    return [name if names.count(name) == 1 else str(run.folder) for name, run in zip(names, first_runs, strict=True)]


def _described(run: Scored) -> dict[str, Any] | None:
    if run.trained is None:
        return None
    parameters = {name.replace("_", "-"): value for name, value in run.trained["parameters"].items()}
    classes = {name: _templates(each) if name == "templates" else each["name"] for name, each in run.classes.items()}
    return parameters | {role: each["name"] for role, each in run.trained["inputs"].items()} | classes


def _templates(texts: list[str]) -> str:
    first, *others = texts
    return f"'{first}'" + (f" and {len(others)} more" if others else "")


def _keys(descriptions: list[dict[str, Any]]) -> list[str]:
    """Every key once, in the order of the first description that has it; what sets the temperature comes first."""
    keys = dict.fromkeys(key for each in descriptions for key in each)
    return sorted(keys, key=lambda key: key not in ("loss", "temperature"))
