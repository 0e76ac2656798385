"""Entry point of ``models import``: a checkpoint as a folder that transformers loads, with tokenizer and processor."""

from pathlib import Path

from pipelines.artifacts import StageResult
from pipelines.artifacts.files import replacing_folder
from pipelines.artifacts.writers import one_writer
from pipelines.errors import InputError
from pipelines.import_model.settings import Activation, ImportSettings, NormStyle, Origin
from pipelines.model_folder import finished, folder_plan, write_record
from pipelines.remote import located

_OPEN_CLIP_CONFIG = "open_clip_config.json"


@one_writer
def import_model(
    checkpoint: Path | str,
    output: Path | str,
    *,
    origin: Origin,
    tokenizer: str | None = None,
    activation: Activation | None = None,
    frames: int | None = None,
    image_size: int | None = None,
    norm_style: NormStyle | None = None,
    force: bool = False,
) -> StageResult:
    """Write a checkpoint as a folder that transformers loads: safetensors, configuration, tokenizer, image processor.

    ``--media-model`` and ``--text-model`` both take the folder. Vectors are the checkpoint's, within rounding.

    Args:
        checkpoint: The file: safetensors, a pickle of plain weights, or a TorchScript archive. Nothing in it runs.
        output: Folder to write; one that an import wrote is replaced.
        origin: Whose checkpoint it is: ``avion`` and ``lavila`` become a model of ours over all frames of a clip, whose
            code goes along; ``openai-clip`` and ``open_clip`` become a ``CLIPModel``.
        tokenizer: A folder with a tokenizer, a hub id, or CLIP's vocabulary ``bpe_simple_vocab_16e6.txt.gz``; CLIP's of
            the hub if None.
        activation: Of ``open_clip``, whose weights don't tell: needed without ``open_clip_config.json`` beside them.
        frames: Frames of a clip to interpolate embeddings of time for; the checkpoint's if None.
        image_size: Side of the images to interpolate position embeddings for, in pixels; the checkpoint's if None.
        norm_style: Pixel statistics of ``avion`` and ``lavila``, ``openai`` or ``timm``; by the training's arguments in
            the checkpoint if None, ``openai`` where it has none.
        force: Write even if the output is up to date, or holds other files, which are lost.

    Returns:
        The summary has ``from``, ``class``, ``parameters``, ``dimension``, ``image_size``, ``frames`` (None of images)
        and ``tokens`` (that the text side reads).

    Raises:
        InputError: The checkpoint can't be read, isn't one of this origin, or the tokenizer can't be had.
    """
    checkpoint, output = located(checkpoint), located(output)
    if checkpoint.is_dir():
        raise InputError(f"{checkpoint}: is a folder; give the file with the weights")
    config = checkpoint.parent / _OPEN_CLIP_CONFIG if origin == "open_clip" else None
    config = config if config is not None and config.is_file() else None
    settings = ImportSettings(origin, tokenizer, activation, frames, image_size, config, norm_style)
    inputs = {"checkpoint": checkpoint, "config": config, "tokenizer": settings.tokenizer_path}
    plan = folder_plan(
        "models import",
        output,
        settings.parameters(),
        {role: path for role, path in inputs.items() if path is not None},
    )
    if done := finished(output, plan, force=force):
        return done
    from pipelines.import_model.conversion import convert

    converted = convert(checkpoint, settings)
    with replacing_folder(output) as fresh:
        converted.save(fresh)
        write_record(fresh, plan, converted.summary(origin))
    return StageResult(output, False, converted.summary(origin))
