"""A folder that loads with transformers alone."""

import os
from pathlib import Path

from pipelines.export.markdown import python_string
from pipelines.export.portable import clip_like_model, portable_model
from pipelines.export.processors import save_processors
from pipelines.export.run import Run
from pipelines.export.usage import Inputs
from pipelines.export.written import Written
from pipelines.modeling.modeling_mmts import MmtsConfig, MmtsModel


def write_transformers(run: Run, folder: Path, name: str) -> Written:
    """Write a plain CLIP-like model where the towers are the two sides of one; else a model with its own code.

    Args:
        run: The run.
        folder: Where to write.
        name: What the folder will be called.

    Raises:
        InputError: The text tower has a module that the exported code doesn't know.
    """
    inputs = Inputs.of(run)
    temperature = run.last_temperature()
    model = clip_like_model(run.model, temperature)
    whole = model is not None
    if model is None:
        MmtsConfig.register_for_auto_class()
        MmtsModel.register_for_auto_class("AutoModel")
        model = portable_model(run.model)
    model.save_pretrained(os.fspath(folder))
    save_processors(run.model, run.folder / "model" / "media_tower", folder)
    notes = [] if whole else ["The model's code, the .py files, comes with it: trust_remote_code=True runs it."]
    notes += inputs.notes()
    if whole and temperature is not None:
        notes.append(f"logit_scale is that of the temperature at the end of training, {temperature:.4g}.")
    return Written("transformers", _usage(inputs, name, whole), notes, {"class": type(model).__name__})


def _usage(inputs: Inputs, name: str, whole: bool) -> str:
    trust = "" if whole else ", trust_remote_code=True"
    lines = inputs.imports("torch", "AutoModel")
    lines.append(f"model = AutoModel.from_pretrained({python_string(name)}{trust}).eval()")
    lines += inputs.media_code(name, "pt") + inputs.text_code(name, "pt")
    media = "media_features" if inputs.media == "features" else "pixel_values"
    texts = "text_embeddings=texts" if inputs.texts == "embeddings" else "**texts"
    lines += [
        "with torch.inference_mode():",
        f"    output = model({media}=media, {texts})",
        "similarity = torch.cosine_similarity(output.image_embeds, output.text_embeds)",
    ]
    return "\n".join(lines)
