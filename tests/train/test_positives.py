"""Captions drawn by relevancy: which, how often, whose shift, and what is refused."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipelines.artifacts import vector_type
from pipelines.errors import InputError
from pipelines.scores.relevancy import class_relevancy
from pipelines.train.positives import RelevantCaptions, read_relevant_captions
from pipelines.train.sampler import EpochSampler


def clips(seed: int, n: int = 40, verbs: int = 4, nouns: int = 6) -> tuple[list[int], list[list[int]], np.ndarray]:
    random = np.random.default_rng(seed)
    noun_lists = [sorted(set(random.integers(0, nouns, random.integers(1, 4)).tolist())) for _ in range(n)]
    return random.integers(0, verbs, n).tolist(), noun_lists, np.sort(random.permutation(n)[: n // 2])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("minimum", [0.0, 0.1, 0.25, 0.5])
def test_candidates_are_those_of_a_loop(seed, minimum) -> None:
    verb, nouns, sentences = clips(seed)
    captions = RelevantCaptions(class_relevancy(verb, nouns, sentences), sentences, minimum)
    for clip in range(len(verb)):
        expected = []
        for sentence in sentences.tolist():
            mine, theirs = set(nouns[clip]), set(nouns[sentence])
            relevancy = 0.5 * (verb[clip] == verb[sentence]) + 0.5 * len(mine & theirs) / len(mine | theirs)
            if relevancy > minimum:
                expected.append(sentence)
        assert captions.candidates(clip).tolist() == expected
        assert captions.count()[clip] == len(expected)


def test_every_candidate_has_an_equal_part_of_the_draw() -> None:
    verb, nouns, sentences = clips(0)
    captions = RelevantCaptions(class_relevancy(verb, nouns, sentences), sentences, 0.1)
    for clip in (0, 7, 39):
        candidates = captions.candidates(clip).tolist()
        middles = (torch.arange(len(candidates) * 3, dtype=torch.float64) + 0.5) / (len(candidates) * 3)
        drawn = captions.draw(torch.full_like(middles, clip).long(), middles).tolist()
        assert drawn == [each for each in candidates for _ in range(3)]
        ends = torch.tensor([0.0, np.nextafter(1.0, 0.0)], dtype=torch.float64)
        assert captions.draw(torch.tensor([clip, clip]), ends).tolist() == [candidates[0], candidates[-1]]


def test_an_epoch_draws_anew_by_seed_and_epoch_and_keeps_the_order_of_media() -> None:
    verb, nouns, sentences = clips(1)
    captions = RelevantCaptions(class_relevancy(verb, nouns, sentences), sentences, 0.1)
    sampler = EpochSampler(torch.arange(40), 10, 3, captions)
    own = EpochSampler(torch.arange(40), 10, 3)

    def epoch(of: EpochSampler, number: int) -> list[list[list[int]]]:
        return [[each.tolist() for each in batch] for batch in of.epoch(number)]

    first = epoch(sampler, 1)
    torch.rand(5)
    assert epoch(sampler, 1) == first != epoch(sampler, 2)
    assert [(media, sample) for media, _, sample in first] == [(media, sample) for media, _, sample in epoch(own, 1)]
    assert all(text == sample for _, text, sample in epoch(own, 1))
    drawn = torch.zeros(40, 40)
    for number in range(400):
        for _, texts, samples in sampler.epoch(number):
            drawn[samples, texts] += 1
    for clip in range(40):
        expected = torch.zeros(40)
        expected[captions.candidates(clip)] = 400 / int(captions.count()[clip])
        assert drawn[clip].sum() == 400
        assert ((drawn[clip] - expected).abs() <= 5 * expected.sqrt()).all(), clip


@pytest.fixture
def kitchen(tmp_path, write_artifact):
    """Two verbs and four nouns; the only sentences are captions of the first clip of each verb, each with one noun."""
    ids = [f"P01_{row}" for row in range(12)]
    columns = {
        "sample_id": ids,
        "media_id": ids,
        "text": ["take plate"] * 12,
        "split": ["train"] * 12,
        "verb_class": pa.array([row % 2 for row in range(12)], pa.int32()),
        "noun_class": pa.array([row % 4 for row in range(12)], pa.int32()),
        "all_noun_classes": pa.array([[row % 4] for row in range(12)], pa.list_(pa.int32())),
        "retrieval_sentence": [row < 2 for row in range(12)],
    }
    random = np.random.default_rng(0)
    for role, column in (("media", "media_id"), ("text", "sample_id")):
        vectors = pa.array(random.standard_normal((12, 6)).tolist(), vector_type(6))
        write_artifact(tmp_path / f"{role}.parquet", {column: ids, "embedding": vectors})
    shift = pa.array([0.05 + row / 100 for row in range(12)], pa.float32())
    write_artifact(tmp_path / "shifts.parquet", {"sample_id": ids, "shift": shift, "cluster_size": [1] * 12})

    def write(**changes):
        kept = {name: value for name, value in {**columns, **changes}.items() if value is not None}
        return write_artifact(tmp_path / "annotations.parquet", kept)

    write()
    return write


def line(folder, *flags) -> list[object]:
    files = ("--media", folder / "media.parquet", "--text", folder / "text.parquet")
    given = ("--val-split", "none", "--epochs", 1, "--dimension", 4, "--positives", "relevancy", "--device", "cpu")
    return ["train", folder / "annotations.parquet", "-o", folder / "run", *files, *given, *flags]


def test_the_shift_is_that_of_the_clip_whatever_caption_was_drawn(kitchen, tmp_path, mmts) -> None:
    """All sentences are captions of the first two clips; the steps still have all twelve clips' shifts."""
    shifts = ("--shifts", tmp_path / "shifts.parquet", "--alpha", 0, "--batch-size", 2)
    assert mmts(*line(tmp_path, *shifts)).code == 0
    steps = pq.read_table(tmp_path / "run" / "steps.parquet").to_pydict()
    seen = sorted([*steps["temperature_min"], *steps["temperature_max"]])
    assert seen == pytest.approx([0.05 + row / 100 for row in range(12)])


def test_what_cannot_be_drawn_from_is_refused(kitchen, tmp_path, refused) -> None:
    flags = ("--temperature", "fixed", "--batch-size", 4)
    message = refused(*line(tmp_path, *flags, "--min-relevancy", 0.5))
    assert message == (
        f"{tmp_path}/annotations.parquet: 6 clips have no retrieval sentence whose relevancy exceeds 0.5, "
        "first: P01_2, P01_3, P01_6; lower --min-relevancy, or use --positives own"
    )
    for missing in ("verb_class", "all_noun_classes", "retrieval_sentence"):
        kitchen(**{missing: None})
        assert f"no column '{missing}' as EK-100 annotations have" in refused(*line(tmp_path, *flags))
    kitchen(retrieval_sentence=[False] * 12)
    assert "no row of split 'train' has retrieval_sentence true" in refused(*line(tmp_path, *flags))
    kitchen(retrieval_sentence=pa.nulls(12, pa.bool_()))
    assert "12 rows have no retrieval_sentence, first: P01_0, P01_1, P01_2" in refused(*line(tmp_path, *flags))
    kitchen(media_id=["P01_0"] * 12)
    assert "1 values of media_id occur more than once" in refused(*line(tmp_path, *flags))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_on_the_real_annotations(data_dir, tmp_path, mmts, write_artifact) -> None:
    """The official training segments of the first participants, trained on features of their classes."""
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(data_dir / "ek100" / "EPIC_100_uda_source_train.csv", root / "EPIC_100_train.csv")
    shutil.copy(data_dir / "ek100" / "EPIC_100_retrieval_train_sentence.csv", root)
    annotations = tmp_path / "annotations.parquet"
    ran = mmts("prepare", "ek100", "--root", root, "--split", "train", "--allow-partial", "-o", annotations)
    assert ran.code == 0, ran.err
    table = pq.read_table(annotations).to_pydict()
    captions = read_relevant_captions(annotations, "train", 0.1)
    sentences = [row for row, is_sentence in enumerate(table["retrieval_sentence"]) if is_sentence]
    for clip in (0, 5000, 16114):
        mine = set(table["all_noun_classes"][clip])
        expected = []
        for row in sentences:
            theirs = set(table["all_noun_classes"][row])
            same = table["verb_class"][clip] == table["verb_class"][row]
            if 0.5 * same + 0.5 * len(mine & theirs) / len(mine | theirs) > 0.1:
                expected.append(row)
        assert captions.candidates(clip).tolist() == expected
    ids = table["sample_id"]
    of_class = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
    vectors_nd = of_class[table["noun_class"]] + of_class[table["verb_class"]]
    vectors = pa.FixedSizeListArray.from_arrays(vectors_nd.ravel(), 16)
    for role, column in (("media", "media_id"), ("text", "sample_id")):
        write_artifact(tmp_path / f"{role}.parquet", {column: ids, "embedding": vectors})
    ran = mmts(*line(tmp_path, "--temperature", "fixed", "--loss", "max-margin", "--batch-size", 512, "--lr", 0.02))
    assert ran.code == 0, ran.err
    losses = pq.read_table(tmp_path / "run" / "steps.parquet")["loss"].to_pylist()
    assert len(losses) == 16115 // 512
    assert losses[-1] < losses[0]


def test_a_minimum_no_clip_reaches_is_told_through_the_library(kitchen, tmp_path) -> None:
    with pytest.raises(InputError, match=r"6 clips have no .* whose relevancy exceeds 0\.75, first"):
        read_relevant_captions(tmp_path / "annotations.parquet", "train", 0.75)
