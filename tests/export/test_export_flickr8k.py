"""On real data: the test split of Flickr8K, encoded with transformers alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from pipelines.artifacts import read_annotations
from pipelines.media import media_list, open_media
from pipelines.models import encode_media, encode_texts, load_model

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def test_the_test_split_is_encoded_as_by_the_run(data_dir, tmp_path, mmts, write_artifact) -> None:
    source, annotations = data_dir / "flickr8k", tmp_path / "annotations.parquet"
    features = source / "features_efficientnet_lite2.parquet"
    assert mmts("prepare", "flickr8k", "--captions", source / "captions.csv", "-o", annotations).code == 0
    table = read_annotations(annotations)
    random = np.random.default_rng(0)
    text_nd = random.standard_normal((table.num_rows, 64)).astype(np.float32)  # what they mean matters elsewhere
    write_artifact(tmp_path / "t.parquet", {"sample_id": table.column("sample_id"), "embedding": list(text_nd)})
    trained = ("--media", features, "--text", tmp_path / "t.parquet", "--temperature", "fixed", "--tau", 0.1)
    run, output = tmp_path / "run", tmp_path / "out"
    assert mmts("train", annotations, "-o", run, *trained, "--epochs", 1, "--device", "cpu").code == 0
    assert mmts("export", run, "-o", output).code == 0
    model = load_model(run / "model")
    tested = pc.equal(table.column("split"), "test")
    listed = media_list(table.filter(tested), annotations)
    assert len(listed) == 1000
    media = open_media(features, listed, view=None)
    texts = torch.from_numpy(text_nd[tested.to_numpy()])
    np.savez(f"{output}.inputs.npz", media=media.batch(torch.arange(len(listed))).numpy(), texts=texts.numpy())
    alone = Path(__file__).with_name("alone.py")
    subprocess.run(
        [sys.executable, "-I", str(alone), "transformers", str(output)],
        check=True,
        env={**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules")},
    )
    found = np.load(f"{output}.outputs.npz")
    np.testing.assert_allclose(found["media"], encode_media(model, media, CPU).numpy(), atol=1e-5, rtol=0)
    np.testing.assert_allclose(found["text"], encode_texts(model, texts, CPU).numpy(), atol=1e-5, rtol=0)
