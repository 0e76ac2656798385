"""Entry point of ``export``: a run's model as a folder that another library loads by itself."""

from pathlib import Path
from typing import Any, Literal, get_args

from pipelines.artifacts import StageResult
from pipelines.artifacts.files import nearest, replacing_folder
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError
from pipelines.export.card import model_card
from pipelines.export.run import read_run
from pipelines.export.scores import read_scores
from pipelines.export.to_onnx import write_onnx
from pipelines.export.to_sentence_transformers import write_sentence_transformers
from pipelines.export.to_transformers import write_transformers
from pipelines.model_folder import finished, folder_plan, write_record
from pipelines.models.quiet import quiet_libraries
from pipelines.remote import as_path, located

Target = Literal["transformers", "sentence-transformers", "onnx"]
TARGETS: tuple[Target, ...] = get_args(Target)

_WRITERS = {
    "transformers": write_transformers,
    "sentence-transformers": write_sentence_transformers,
    "onnx": write_onnx,
}


@one_writer
def export(
    run: Path | str,
    output: Path | str,
    *,
    to: Target = "transformers",
    scores: Path | str | None = None,
    trust_remote_code: bool = False,
    force: bool = False,
) -> StageResult:
    """Write a run's model as a folder that another library loads by itself, with a model card.

    Vectors are those of the run, not normalised.

    Args:
        run: Run folder.
        output: Folder to write; one that an export wrote is replaced.
        to: ``transformers``: loads with ``AutoModel``, with code of its own unless the towers are the two sides of one
            CLIP-like model. ``sentence-transformers``: loads with ``SentenceTransformer``; texts, and images where the
            run is on such. ``onnx``: ``media.onnx`` and ``text.onnx``.
        scores: Folder that ``mmts eval`` wrote for this run, for the card; the validation's scores if None.
        trust_remote_code: Whether code that came with a tower may run; the record says so.
        force: Write even if the output is up to date, or holds other files, which are lost.

    Returns:
        The summary has ``to``, ``library``, ``notes`` (what isn't as one may expect), ``scores`` (which the card has:
        ``eval``, ``validation`` or ``none``) and what the target reports: ``class``; ``sides``; ``max_difference`` (by
        side, of onnxruntime's vectors from the model's).

    Raises:
        InputError: The run isn't complete, its model can't be exported so, a package is missing, or the output holds
            other files.
    """
    run, output = located(run), located(output)
    if to not in TARGETS:
        raise InputError(f"--to {to}: expected one of {', '.join(TARGETS)}{nearest(to, list(TARGETS))}")
    source = read_run(run, trust_remote_code=trust_remote_code)
    if output.resolve() in (run.resolve(), *run.resolve().parents) or run.resolve() in output.resolve().parents:
        raise InputError(f"{output}: holds the run, or lies in it; give -o a folder of its own")
    card_scores = None if scores is None else read_scores(located(scores), source)
    inputs = source.inputs()
    if scores is not None:
        inputs["scores"] = as_path(scores) / "ranks.parquet"
    parameters: dict[str, Any] = {"to": to, "name": output.resolve().name}
    if trust_remote_code:
        parameters["trust_remote_code"] = True
    plan = folder_plan("export", output, parameters, inputs)
    if done := finished(output, plan, force=force):
        return done
    name = output.resolve().name
    with replacing_folder(output) as fresh, quiet_libraries():
        written = _WRITERS[to](source, fresh, name)
        (fresh / "README.md").write_text(model_card(source, written, name, card_scores), encoding="utf-8")
        kind = "eval" if card_scores is not None else "none" if source.validation is None else "validation"
        summary = {"to": to, "library": written.library, "notes": written.notes, "scores": kind, **written.figures}
        write_record(fresh, plan, summary)
    return StageResult(output, False, summary)
