"""An exported folder, loaded with its library alone, gives the run's vectors of the test split."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_world import make_tiny_world

from export.kinds import TestSplit, encode_test_split, train_kind
from pipelines.export import export

pytestmark = pytest.mark.slow

KINDS = {
    "features": ("transformers", "onnx"),
    "pixels": ("transformers",),
    "sentences": ("transformers", "sentence-transformers", "onnx"),
    "clip": ("transformers", "sentence-transformers"),
    "siglip": ("transformers", "sentence-transformers"),
    "clip with heads": ("transformers", "sentence-transformers"),
    "clips": ("transformers", "onnx"),
    "xclip": ("transformers",),
    "divided": ("transformers", "onnx"),
}
LIBRARIES = ("transformers", "sentence-transformers", "onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory, write_artifact) -> dict[str, tuple[Path, TestSplit]]:
    """The folders all exports are below, and the test split of each run."""
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("world")
    world = make_tiny_world(folder, write_artifact)
    found = {}
    for kind in KINDS:
        run = train_kind(world, kind)
        found[kind] = (run, encode_test_split(world, run))
    return found


@pytest.fixture(scope="module", params=LIBRARIES)
def encoded(request, exported, tmp_path_factory):
    """For one library: what it alone makes of the test split, by kind of run."""
    library = request.param
    pytest.importorskip({"onnx": "onnxruntime"}.get(library, "transformers"))
    below = tmp_path_factory.mktemp(library)
    folders = {}
    for kind, (run, split) in exported.items():
        if library in KINDS[kind]:
            folders[kind] = below / kind.replace(" ", "-")
            export(run, folders[kind], to=library)
            np.savez(f"{folders[kind]}.inputs.npz", media=split.media, texts=split.texts)
    subprocess.run(
        [sys.executable, "-I", str(Path(__file__).with_name("alone.py")), library, *map(str, folders.values())],
        check=True,
        env={**os.environ, "HF_MODULES_CACHE": str(below / "modules")},
        cwd=below,
    )
    return {kind: np.load(f"{folder}.outputs.npz") for kind, folder in folders.items()}, exported


def test_vectors_are_the_run_s(encoded) -> None:
    outputs, exported = encoded
    assert outputs
    for kind, found in outputs.items():
        split = exported[kind][1]
        np.testing.assert_allclose(found["text"], split.text_nd, atol=1e-5, rtol=0, err_msg=kind)
        np.testing.assert_allclose(found["media"], split.media_nd, atol=1e-5, rtol=0, err_msg=kind)
        assert split.media_nd.std(axis=0).min() > 1e-4, kind  # else any vectors would do
