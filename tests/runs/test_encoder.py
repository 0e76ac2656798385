"""New texts and media through runs: the vectors that the run's own texts and media have."""

import dataclasses
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tiny_models import write_sentence_model

from pipelines.artifacts import ArtifactWriter, read_annotations, read_provenance, read_vectors
from pipelines.errors import InputError
from pipelines.models import encode_texts, load_model
from pipelines.runs.encoder import RunEncoder
from pipelines.runs.makers import maker_of

CPU = torch.device("cpu")


def unit(vectors_nd: np.ndarray) -> np.ndarray:
    return vectors_nd / np.linalg.norm(vectors_nd, axis=1, keepdims=True)


def texts_of(world, ids: pa.ChunkedArray) -> list[str]:
    table = read_annotations(world.annotations)
    text_of = dict(zip(table.column("sample_id").to_pylist(), table.column("text").to_pylist(), strict=True))
    return [text_of[each] for each in ids.to_pylist()]


def test_a_run_with_towers_encodes_as_embed_does(world, run_on_pixels, mmts) -> None:
    features, texts = world.folder / "f.parquet", world.folder / "t.parquet"
    media = ("--media", world.folder / "images")
    assert mmts("embed", world.annotations, "-o", features, "--model", run_on_pixels, *media).code == 0
    assert mmts("embed", world.annotations, "-o", texts, "--model", run_on_pixels).code == 0
    encoder = RunEncoder(run_on_pixels)
    of_texts, of_media = read_vectors(texts), read_vectors(features)
    found_nd = encoder.texts(texts_of(world, of_texts.ids))
    np.testing.assert_allclose(found_nd, unit(of_texts.matrix_nd), atol=1e-6)
    found_nd = encoder.media([world.folder / "images" / each for each in of_media.ids.to_pylist()])
    np.testing.assert_allclose(found_nd, unit(of_media.matrix_nd), atol=1e-6)
    assert found_nd.dtype == np.float32


def test_a_run_on_vectors_takes_new_inputs_through_the_models_that_made_them(world, embedded_run) -> None:
    encoder, model = RunEncoder(embedded_run), load_model(embedded_run / "model")
    text, media = read_vectors(world.text), read_vectors(world.media)
    expected_nd = unit(encode_texts(model, torch.from_numpy(text.matrix_nd), CPU).numpy())
    np.testing.assert_allclose(encoder.texts(texts_of(world, text.ids)), expected_nd, atol=1e-6)
    with torch.no_grad():
        expected_nd = unit(model.embed_media(torch.from_numpy(media.matrix_nd)).numpy())
    files = [world.folder / "images" / each for each in media.ids.to_pylist()]
    np.testing.assert_allclose(encoder.media(files), expected_nd, atol=1e-6)


def test_vectors_stored_in_half_precision_are_rounded_as_they_were(world, mmts) -> None:
    model, half = write_sentence_model(world.folder / "model"), world.folder / "half.parquet"
    assert mmts("embed", world.annotations, "-o", half, "--model", model, "--dtype", "float16").code == 0
    assert mmts(*world.command("run", text=half, epochs=1)).code == 0
    stored = read_vectors(half)
    expected_nd = unit(
        encode_texts(load_model(world.folder / "run" / "model"), torch.from_numpy(stored.matrix_nd), CPU).numpy()
    )
    found_nd = RunEncoder(world.folder / "run").texts(texts_of(world, stored.ids))
    assert np.abs(found_nd - expected_nd).mean() < 1e-5  # an element may be rounded the other way


def test_clips_are_encoded_as_clips(world, mmts) -> None:
    pytest.importorskip("av")
    from export.kinds import encode_test_split, train_kind

    run = train_kind(world, "clips")
    wanted = encode_test_split(world, run).media_nd
    table = read_annotations(world.folder / "films.parquet")
    of_test = table.filter(pa.compute.equal(table.column("split"), "test"))
    files = dict.fromkeys(of_test.column("media").to_pylist())
    found_nd = RunEncoder(run).media([world.folder / each for each in files])
    np.testing.assert_allclose(found_nd, unit(wanted), atol=1e-5)
    image = world.images() / "m00.png"
    with pytest.raises(InputError, match=r"m00\.png: .* was trained on video clips; give one"):
        RunEncoder(run).media([image])


def test_wrong_inputs_are_named(world, run_on_pixels, tmp_path) -> None:
    encoder = RunEncoder(run_on_pixels)
    with pytest.raises(InputError, match="text ' ': is empty; give words"):
        encoder.texts(["a dog", " "])
    with pytest.raises(InputError, match=r"m0\.png: no such file; did you mean"):
        encoder.media([world.folder / "images" / "m0.png"])
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png.*it is not an image in a known format"):
        encoder.media([tmp_path / "a.png"])
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"a\.mp4: .* was trained on images; give one"):
        encoder.media([tmp_path / "a.mp4"])


def test_unknown_models_of_vectors_are_refused_with_a_remedy(world, mmts) -> None:
    assert mmts(*world.command("run", epochs=1)).code == 0
    encoder = RunEncoder(world.folder / "run")
    with pytest.raises(InputError, match=r"was not made by `mmts embed`; embed the texts again"):
        encoder.texts(["a dog"])
    image = world.images() / "m00.png"
    with pytest.raises(InputError, match=r"was not made by `mmts embed`; give a text instead"):
        encoder.media([image])


def test_a_model_or_a_file_of_vectors_that_changed_is_refused(world, embedded_run) -> None:
    shutil.copy(
        write_sentence_model(world.folder / "others", normalize=False) / "modules.json",
        world.folder / "model" / "sentence",
    )
    with pytest.raises(InputError, match=r"was another '.*' than the one that is here now"):
        RunEncoder(embedded_run).texts(["a dog"])
    world.rewrite("text", lambda table: table.slice(1))
    with pytest.raises(InputError, match="changed after training"):
        RunEncoder(embedded_run).texts(["a dog"])
    world.media.unlink()
    with pytest.raises(InputError, match=r"media\.parquet, which isn't there"):
        RunEncoder(embedded_run).media([world.folder / "images" / "m00.png"])


def test_embeddings_that_a_run_mapped_have_no_model_of_their_own(world, embedded_run, mmts) -> None:
    mapped = world.folder / "mapped.parquet"
    assert mmts("embed", world.annotations, "-o", mapped, "--model", embedded_run, "--text", world.text).code == 0
    assert mmts(*world.command("second", text=mapped, epochs=1)).code == 0
    with pytest.raises(InputError, match="another run mapped"):
        RunEncoder(world.folder / "second").texts(["a dog"])


def test_the_model_of_embeddings_in_parts_is_known(world, embedded_run, mmts) -> None:
    made = read_provenance(world.text)
    table = pq.read_table(world.text).replace_schema_metadata(None)
    parts = world.folder / "parts"
    parts.mkdir()

    def write(name, rows, **changed) -> None:
        parameters = {**made.parameters, **changed}
        with ArtifactWriter(parts / name, table.schema, dataclasses.replace(made, parameters=parameters)) as writer:
            writer.write(rows)

    write("a.parquet", table.slice(0, 50))
    write("b.parquet", table.slice(50))
    assert mmts(*world.command("again", text=parts, epochs=1)).code == 0
    again = world.folder / "again"
    assert maker_of(again, "text", "") == maker_of(embedded_run, "text", "")
    write("b.parquet", table.slice(50), dtype="float16")
    with pytest.raises(InputError, match=r"isn't one, since the parts of .*parts were made by several; embed again"):
        maker_of(again, "text", "embed again")
