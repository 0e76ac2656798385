"""The default model: MiniLM, from its package."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from pipelines.artifacts import read_vectors
from pipelines.embed import embed
from pipelines.encoders.sentences import SentenceEncoder
from pipelines.errors import InputError
from pipelines.model_files import DEFAULT_MODEL

TEXTS = ["A dog runs.", "A man in a red shirt climbs a rock beside the sea.", "Two cats", "open door"] * 3


def test_vectors_are_normalised_and_those_of_the_library(minilm) -> None:
    vectors_nd = minilm.encode(TEXTS)
    assert vectors_nd.shape == (12, minilm.dimension) == (12, 384)
    assert vectors_nd.dtype == np.float32
    assert np.linalg.norm(vectors_nd, axis=1) == pytest.approx(np.ones(12), abs=1e-6)
    alone_d = minilm._model.encode("Two cats", normalize_embeddings=True)
    assert vectors_nd[2] == pytest.approx(alone_d, abs=1e-5)


def test_similar_texts_are_nearer_than_others(minilm) -> None:
    dog, puppy, car = minilm.encode(["A dog runs.", "A puppy is running.", "The stock market fell."])
    assert dog @ puppy > 0.6 > 0.3 > dog @ car


@pytest.mark.parametrize("batch_size", [1, 5, 128])
def test_the_batch_size_changes_only_the_last_bits(minilm, monkeypatch, tmp_path, write_artifact, batch_size) -> None:
    monkeypatch.setattr("pipelines.embed.stage.SentenceEncoder", lambda *_, **__: minilm)
    monkeypatch.setattr(minilm, "_batch_size", batch_size)
    ids = [str(row) for row in range(12)]
    source = write_artifact(tmp_path / "a.parquet", pa.table({"sample_id": ids, "text": TEXTS}))
    embed(source, tmp_path / "e.parquet", batch_size=batch_size)
    expected_nd = np.stack([minilm._model.encode(text, normalize_embeddings=True) for text in TEXTS[:4]])
    assert read_vectors(tmp_path / "e.parquet").matrix_nd == pytest.approx(np.tile(expected_nd, (3, 1)), abs=1e-5)


def test_truncated_texts_are_those_of_the_tokenizer(minilm) -> None:
    texts = ["word " * count for count in (10, 253, 254, 255, 256, 400)] + ["x" * 300, "日本" * 200]
    tokens = [len(minilm._model.tokenizer(text)["input_ids"]) for text in texts]
    assert tokens[1:4] == [255, 256, 257]
    expected = sum(count > minilm.max_length for count in tokens)
    assert 0 < expected < len(texts)
    assert minilm.max_length == 256
    assert minilm.count_truncated(texts) == expected
    assert minilm.count_truncated(["short"]) == 0


def test_a_static_model_reads_texts_of_any_length(mmts, tmp_path, write_artifact) -> None:
    words = Tokenizer(WordLevel({"[UNK]": 0, "dog": 1, "word": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=4)], device="cpu").save(str(tmp_path / "static"))
    columns = {"sample_id": ["a", "b"], "text": ["dog " * 10_000, "word"]}
    source, output = write_artifact(tmp_path / "a.parquet", columns), tmp_path / "e.parquet"
    ran = mmts("embed", source, "-o", output, "--model", tmp_path / "static")
    assert (ran.code, "truncated" in ran.err + ran.out) == (0, False), ran.err
    footer = json.loads(mmts("inspect", output, "--json").out)["provenance"]
    assert (footer["summary"]["max_tokens"], footer["summary"]["truncated_texts"]) == (None, 0)
    assert read_vectors(output).matrix_nd.shape == (2, 4)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./nosuch", "--model ./nosuch: no such folder, and not a hub id, which looks like owner/name"),
        ("nosuch/thing", "--model nosuch/thing: no such folder, and it can't be downloaded from the hub"),
    ],
)
def test_a_model_that_is_nowhere_is_refused(model, message) -> None:
    with pytest.raises(InputError, match=message):
        SentenceEncoder(model, device="cpu", batch_size=1)


def test_a_folder_that_holds_no_model_is_refused(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="holds no model"):
        SentenceEncoder(str(tmp_path), device="cpu", batch_size=1)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"--device abacus: can't be used here \(.*\); leave it out"):
        SentenceEncoder(DEFAULT_MODEL, device="abacus", batch_size=1)
