"""Mistakes in labels are among the first worst queries that a report shows."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from pipelines.artifacts import vector_type
from pipelines.demo import make_scenes, write_tower
from pipelines.report.sections.worst import shown_queries
from pipelines.views.worst import read_worst

MISTAKES, LOOKED_AT = 10, 20


def move_captions(path, seed: int) -> set[str]:
    """Give ten test captions of ten images to the next of these images; tells the captions."""
    rows = pc.read_csv(path).to_pylist()
    tests = [row for row in range(len(rows)) if rows[row]["split"] == "test"]
    of_image = {rows[row]["image"]: row for row in np.random.default_rng(seed).permutation(tests).tolist()}
    moved = list(of_image.values())[:MISTAKES]
    images = [rows[row]["image"] for row in moved]
    for row, image in zip(moved, images[1:] + images[:1], strict=True):
        rows[row]["image"] = image
    pc.write_csv(pa.Table.from_pylist(rows), path)
    return {rows[row]["caption"] for row in moved}


def embed_words(annotations, output, write) -> None:
    """Each text as the sum of a random vector a word: cheaper than a language model, and as good for such captions."""
    table, random = pq.read_table(annotations), np.random.default_rng(0)
    vector_of: dict[str, np.ndarray] = {}
    for text in table.column("text").to_pylist():
        for word in text.replace(",", "").split():
            vector_of.setdefault(word, random.standard_normal(128).astype(np.float32))
    texts = [text.replace(",", "").split() for text in table.column("text").to_pylist()]
    vectors = [np.sum([vector_of[word] for word in words], axis=0) for words in texts]
    write(output, {"sample_id": table.column("sample_id"), "embedding": pa.array(vectors, vector_type(128))})


@pytest.mark.slow  # trains a tower on images
def test_a_reader_finds_eight_of_ten_planted_mistakes(tmp_path, mmts, write_artifact) -> None:
    scenes = make_scenes(tmp_path, count=1200, imbalance=1.5, size=48, seed=0)
    planted = move_captions(scenes.captions, seed=0)
    assert len(planted) == MISTAKES
    annotations, texts, run, scores = (tmp_path / name for name in ("a.parquet", "t.parquet", "run", "scores"))
    columns = ["--text-column", "caption", "--media-id-column", "image", "--split-column", "split"]
    tower = ["--media", scenes.images, "--media-model", write_tower(tmp_path / "tower", image_size=48)]
    training = ["--temperature", "fixed", "--tau", 0.08, "--epochs", 10, "--batch-size", 128, "--lr", 2e-3]
    lines = [
        ["prepare", "table", scenes.captions, "-o", annotations, *columns, "--class-column", "concept"],
        ["train", annotations, "-o", run, *tower, "--text", texts, "--frequency", "concept", *training],
        ["eval", run, "-o", scores, "--resamples", 0],
    ]
    for line in lines:
        assert mmts(*line).code == 0
        if line[0] == "prepare":
            embed_words(annotations, texts, write_artifact)
    shown = [query for query in shown_queries(read_worst(scores, annotations)) if query.direction == "text_to_media"]
    found = {query.texts[0] for query in shown[:LOOKED_AT]} & planted
    assert len(found) >= 8, f"{len(found)} of {MISTAKES} among the first {LOOKED_AT}"
