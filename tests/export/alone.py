"""Encode with exported folders and their library alone; run by itself: ``python -I alone.py LIBRARY FOLDER...``.

Each folder has ``inputs.npz`` beside it, named after it; ``outputs.npz`` goes there too.
"""

import sys
from pathlib import Path

import numpy as np


def with_transformers(folder: str, media: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    with torch.inference_mode():
        if media.ndim == 2:
            media_nd = model.get_media_features(torch.from_numpy(media))
        else:
            pixels = processed(AutoImageProcessor.from_pretrained(folder), media, "pt")
            media_nd = model.get_image_features(pixels)
        if texts.ndim == 2:
            text_nd = model.get_text_features(text_embeddings=torch.from_numpy(texts))
        else:
            text_nd = model.get_text_features(**tokens(AutoTokenizer.from_pretrained(folder), folder, texts, "pt"))
    return {"media": vectors(media_nd), "text": vectors(text_nd)}


def with_sentence_transformers(folder: str, media: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    found = {"text": model.encode(texts.tolist())}
    if media.ndim == 4:
        found["media"] = model.encode([Image.fromarray(each.transpose(1, 2, 0)) for each in media])
    return found


def with_onnx(folder: str, media: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
    import onnxruntime
    from transformers import AutoImageProcessor, AutoTokenizer

    def run(side: str, given: dict[str, np.ndarray]) -> np.ndarray:
        session = onnxruntime.InferenceSession(f"{folder}/{side}.onnx")
        return session.run(None, {each.name: given[each.name] for each in session.get_inputs()})[0]

    if media.ndim > 2:
        media = processed(AutoImageProcessor.from_pretrained(folder), media, "np")
    media_nd = run("media", {"features": media, "pixel_values": media})
    if texts.ndim == 2:
        return {"media": media_nd, "text": run("text", {"text_embeddings": texts})}
    return {
        "media": media_nd,
        "text": run("text", dict(tokens(AutoTokenizer.from_pretrained(folder), folder, texts, "np"))),
    }


def processed(processor, media: np.ndarray, tensors: str):
    frames = media.reshape(-1, *media.shape[-3:])
    pixels = processor(images=list(frames), input_data_format="channels_first", return_tensors=tensors)["pixel_values"]
    return pixels.reshape(*media.shape)


def tokens(tokenizer, folder: str, texts: np.ndarray, tensors: str):
    padding = "max_length" if "siglip" in folder else "longest"
    return tokenizer(texts.tolist(), padding=padding, truncation=True, return_tensors=tensors)


def vectors(output) -> np.ndarray:
    return getattr(output, "pooler_output", output).numpy()


def main(library: str, folders: list[str]) -> None:
    encode = {
        "transformers": with_transformers,
        "sentence-transformers": with_sentence_transformers,
        "onnx": with_onnx,
    }[library]
    for folder in folders:
        with np.load(f"{folder}.inputs.npz") as inputs:
            found = encode(folder, inputs["media"], inputs["texts"])
        np.savez(f"{folder}.outputs.npz", **found)
    foreign = {"pipelines", "mmts_cli"} | ({"sentence_transformers"} if library != "sentence-transformers" else set())
    loaded = {name.split(".")[0] for name in sys.modules} & foreign
    assert not loaded, loaded


if __name__ == "__main__":
    sys.path[:] = [each for each in sys.path if Path(each).resolve() != Path(__file__).parent]
    main(sys.argv[1], sys.argv[2:])
