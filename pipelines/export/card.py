"""The model card of an exported folder: what it is, how it was made, how good it is, how it is used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.artifacts import read_provenance
from pipelines.export.markdown import markdown, table
from pipelines.export.run import Run
from pipelines.export.scores import score_tables
from pipelines.export.usage import Inputs
from pipelines.export.written import Written
from pipelines.remote import as_path

_CITATION = """\
@misc{sheludzko2026mmts,
  title         = {{MM-TS}: Multi-Modal Temperature and Margin Schedules for Contrastive Learning with Long-Tail Data},
  author        = {Sheludzko, Siarhei and Duka, Dhimitrios and Schiele, Bernt and Kuehne, Hilde and Kukleva, Anna},
  year          = {2026},
  eprint        = {2603.08202},
  archivePrefix = {arXiv},
  primaryClass  = {cs.CV}
}"""

# Settings of the training run that belong in the recipe, in this order, by what they are called there.
_RECIPE = {
    "loss": "loss",
    "temperature": "temperature strategy",
    **{name: name for name in ("tau", "alpha", "oscillations", "tau_min", "tau_max", "rho")},
    "epochs": "epochs",
    "batch_size": "batch size",
    "micro_batch": "micro-batch",
    "devices": "devices",
    "lr": "learning rate",
    "min_lr": "learning rate at the end",
    "warmup_epochs": "warm-up epochs",
    "warmup_lr": "learning rate at the start",
    "weight_decay": "weight decay",
    "max_grad_norm": "gradient norm clipped to",
    "layer_decay": "learning-rate decay by layer",
    "freeze": "frozen",
    "lora_rank": "rank of adapters (merged)",
    "augment": "augmentation",
    "crop_scale": "share of the area in crops",
    "flip": "probability of a flip",
    "color": "change of colour",
    "positives": "positives",
    "min_relevancy": "relevancy above",
    "precision": "precision",
    "trust_remote_code": "code that came with a model was run",
    "split": "trained on split",
    "seed": "seed",
}
_UNREMARKABLE: tuple[object, ...] = (None, False, [], "none", "own")


def model_card(run: Run, written: Written, name: str, scores: dict[str, Any] | None) -> str:
    """The text of ``README.md``.

    Args:
        run: The run that was exported.
        written: What was written beside the card.
        name: What the folder is called.
        scores: Content of the ``metrics.json`` of ``mmts eval``; None for the scores of the validation.
    """
    header = ["---", f"library_name: {written.library}", "tags:"]
    header += [f"- {tag}" for tag in ("mmts", "dual-encoder", "contrastive-learning", "retrieval")]
    header += ["---"]
    parts = [
        "\n".join(header),
        f"# {markdown(name)}",
        "A dual encoder: media and texts become vectors of one space, compared by cosine. Trained with mmts, "
        "contrastive learning on long-tail data with temperature and margin schedules "
        "([arXiv 2603.08202](https://arxiv.org/abs/2603.08202)).",
        *(f"- {markdown(note)}" for note in written.notes),
        "## Use",
        f"From the folder above this one:\n\n```python\n{written.usage}\n```",
        "## Model",
        table(("part", "what it is"), list(_model(run))),
        "## Recipe",
        table(("setting", "value"), list(_recipe(run))),
        "## Scores",
        *score_tables(run, scores),
        "## Citation",
        f"```bibtex\n{_CITATION}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _model(run: Run) -> Iterator[tuple[str, str]]:
    model, parameters = run.model, run.parameters
    inputs = Inputs.of(run)
    if model.media_tower is None:
        yield "media", f"features of {inputs.media_size} dimensions"
    else:
        size = model.media_tower.image_size
        kind = "images" if inputs.frames is None else f"clips of {inputs.frames} frames"
        if inputs.frames is not None and model.media_tower.frames is None:
            kind += f", {model.settings['pooling']} pooling"
        yield "media", f"{kind}, {size} x {size} pixels: {_tower(model.media_tower, parameters.get('media_model'))}"
    if model.text_tower is None:
        yield "texts", f"embeddings of {inputs.text_size} dimensions"
    else:
        longest = model.text_tower.tokenizer.max_length
        yield "texts", f"up to {longest} tokens: {_tower(model.text_tower, parameters.get('text_model'))}"
    yield (
        "projection",
        {"none": "none", "linear": "linear, on each side", "mlp": "two layers with GELU, on each side"}[
            model.settings["projection"]
        ],
    )
    yield "shared space", f"{model.dimension} dimensions"


def _tower(tower: Any, source: str | None) -> str:
    millions = sum(parameter.numel() for parameter in tower.parameters()) / 1e6
    # A path would say more of the machine it was trained on than of the model.
    name = "" if source is None else f", from {Path(source).name if Path(source).exists() else source}"
    return f"{type(tower.transformer).__name__}{name}, {millions:.3g} million parameters"


def _recipe(run: Run) -> Iterator[tuple[str, str]]:
    made = run.provenance.summary
    # Defaults included; a run of an earlier version has only what it was given.
    settings = {name: f"{number:.6g}" for name, number in made.get("temperature_settings", {}).items()}
    for name, words in _RECIPE.items():
        value = {**run.parameters, **settings}.get(name)
        if value not in _UNREMARKABLE:
            yield words, ", ".join(map(str, value)) if isinstance(value, list) else f"{value}"
    yield from _shifts(run)
    yield f"{run.quantity}s that occurred", f"{made['temperature_min']:.4g} to {made['temperature_max']:.4g}"
    yield "steps", f"{made['steps']:,}"
    yield "weights of epoch", f"{made['best_epoch']}"
    yield "data", ", ".join(sorted({each["name"] for each in run.provenance.inputs.values()}))
    yield "software", ", ".join(f"{name} {version}" for name, version in run.provenance.libraries.items())


def _shifts(run: Run) -> Iterator[tuple[str, str]]:
    """How the shifts were made, where their file is still there and says it."""
    path = as_path(run.parameters.get("shifts") or "")
    made = read_provenance(path) if path.is_file() else None
    if made is not None and made.stage == "shifts":
        chosen = made.parameters
        width = (
            f"tail {chosen['tail']:g} around {chosen['level']:g}"
            if "tail" in chosen
            else f"{chosen['minimum']:g} to {chosen['maximum']:g}"
        )
        yield "shifts", f"{width}, {chosen['rule']} in the cluster's size"
