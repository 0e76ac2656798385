"""``mmts run`` to the end: the shipped recipes on the real annotations with made features, and on made files."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

SIZE = 32
FEW = ("--set", "train.epochs=2", "--set", "train.lr=0.01", "--set", "train.dimension=32", "--set", "eval.resamples=5")


def vector(name: object) -> np.ndarray:
    return np.random.default_rng([ord(letter) for letter in str(name)]).standard_normal(SIZE).astype(np.float32)


class WordsEncoder:
    """Stands in for the sentence encoder: a text is the sum of its words' vectors."""

    dimension = SIZE
    max_length = 512
    words: ClassVar[dict[str, np.ndarray]] = {}

    def __init__(self, model: str, **_: object) -> None:
        pass

    def encode(self, texts: list[str]) -> np.ndarray:
        for word in {word for text in texts for word in text.split()} - self.words.keys():
            self.words[word] = vector(word)
        return np.stack([sum(self.words[word] for word in text.split()) for text in texts])

    def count_truncated(self, texts: list[str]) -> int:
        return 0


@pytest.fixture(autouse=True)
def words_encoder(monkeypatch, tmp_path):
    monkeypatch.setattr("pipelines.embed.stage.SentenceEncoder", WordsEncoder)
    monkeypatch.chdir(tmp_path)


def write_features(write, path, ids, x_nd) -> None:
    write(path, {"media_id": ids, "embedding": pa.FixedSizeListArray.from_arrays(x_nd.ravel(), x_nd.shape[1])})


def features_of_texts(write, annotations, path) -> None:
    """Features of each medium from its first caption, blurred: media and captions can be told to belong together."""
    table = pq.read_table(annotations).to_pydict()
    media = table.get("media_id", table["sample_id"])
    x_nd = WordsEncoder("").encode([text or "" for text in table["text"]])
    x_nd = x_nd + np.random.default_rng(0).standard_normal(x_nd.shape).astype(np.float32)
    first = sorted({name: row for row, name in reversed(list(enumerate(media)))}.items(), key=lambda item: item[1])
    write_features(write, path, [name for name, _ in first], x_nd[[row for _, row in first]])


def commands(ran) -> list[str]:
    return [line.split()[2] for line in ran.err.splitlines() if line.startswith("$ mmts ")]


def written(ran) -> list[str]:
    return [line.rpartition(": ")[2] for line in ran.out.splitlines() if line.endswith((": written", ": up to date"))]


@pytest.mark.slow
def test_ek100_on_the_official_annotations(data_dir, tmp_path, mmts, write_artifact) -> None:
    """All of the test split, and the training segments of the first participants; features of verb and noun class."""
    root = tmp_path / "data"
    root.mkdir()
    for name in (
        "uda_source_train",
        "retrieval_train_sentence",
        "retrieval_test",
        "retrieval_test_sentence",
        "tail_nouns",
    ):
        copied = root / f"EPIC_100_{name.replace('uda_source_', '')}.csv"
        shutil.copy(data_dir / "ek100" / f"EPIC_100_{name}.csv", copied)
    line = ("run", "ek100-max-margin", "--root", root, "--media", "features.parquet", *FEW)
    line += ("--set", "prepare.ek100.allow-partial=true")
    assert mmts(*line, "--only", "prepare").code == 0
    table = pq.read_table("ek100-max-margin/annotations.parquet").to_pydict()
    of_class = np.random.default_rng(0).standard_normal((2, 300, SIZE)).astype(np.float32)
    x_nd = of_class[0][table["verb_class"]] + of_class[1][table["noun_class"]]
    write_features(write_artifact, tmp_path / "features.parquet", table["media_id"], x_nd)

    first = mmts(*line)
    assert first.code == 0, first.err
    assert commands(first) == ["prepare", "embed", "cluster", "shifts", "train", "eval"]
    assert written(first) == ["up to date", *["written"] * 5]
    assert first.out.splitlines()[-1] == "done; scores in ek100-max-margin/scores-mmts"
    scores = json.loads((tmp_path / "ek100-max-margin/scores-mmts/metrics.json").read_text())
    assert scores["queries"] == {"text_to_media": 3842, "media_to_text": 9668}
    assert set(scores["scores"]) == {"overall", "head", "middle", "tail", "tail_classes"}
    assert scores["scores"]["overall"]["mean"]["nDCG"]["value"] > 2 * 10.9  # twice the published chance row
    steps = pq.read_table("ek100-max-margin/run-mmts/steps.parquet")
    assert steps.num_rows == 2 * (16115 // 512)
    assert max(steps["temperature_max"].to_pylist()) == pytest.approx(0.30 + 0.1)  # the first step: top of the band
    assert min(steps["temperature_min"].to_pylist()) >= 0.17 - 0.1 - 1e-6

    again = mmts(*line)
    assert (again.code, written(again)) == (0, ["up to date"] * 6)


@pytest.mark.slow
def test_youcook2_ablations_on_the_official_annotations(data_dir, tmp_path, mmts, write_artifact) -> None:
    root = data_dir / "youcook2"
    line = ("run", "youcook2-ablations", "--root", root, "--media", "features.parquet", *FEW)
    line += ("--set", "train.epochs=1", "--set", "compare.resamples=5")
    assert mmts(*line, "--only", "prepare").code == 0
    features_of_texts(write_artifact, "youcook2-ablations/annotations.parquet", tmp_path / "features.parquet")
    ran = mmts(*line, "--json")
    assert ran.code == 0, ran.err
    printed = json.loads(ran.out)
    runs = ["fixed", "schedule-only", "shifts-only", "mmts"]
    assert list(printed["scores"]) == [f"scores-{run}" for run in runs]
    chance = 100 * 10 / 3350
    for scores in printed["scores"].values():
        assert scores["overall"]["text_to_media"]["recall@10"]["value"] > 5 * chance
    bands = {}
    for run in runs:
        steps = pq.read_table(f"youcook2-ablations/run-{run}/steps.parquet").to_pydict()
        bands[run] = [min(steps["temperature_min"]), max(steps["temperature_max"])]
        assert (max(steps["temperature_min"]) > min(steps["temperature_min"]) + 0.01) == (
            run in ("schedule-only", "mmts")
        )
        wide = np.subtract(steps["temperature_max"], steps["temperature_min"]).max() > 0.05
        assert wide == (run in ("shifts-only", "mmts"))
    assert bands["fixed"] == pytest.approx([0.07, 0.07])
    difference = json.loads((tmp_path / "youcook2-ablations" / "difference.json").read_text())
    assert [each["folders"] for each in difference["settings"]] == [
        [f"youcook2-ablations/scores-{run}"] for run in runs
    ]
    assert [each["setting"] for each in difference["comparisons"]] == [
        each["name"] for each in difference["settings"][1:]
    ]
    again = mmts(*line)
    assert set(written(again)) == {"up to date", "written"}
    assert written(again).count("written") == 1  # the comparison, which takes no time


@pytest.fixture
def zero_shot(tmp_path):
    """CC3M's TSV files and Karpathy's JSON files, cut to some lines."""
    random = np.random.default_rng(0)
    nouns, verbs = ["dog", "cat", "tree", "car", "boat", "bird"], ["red", "old", "small", "wet"]

    def caption() -> str:
        return " ".join([*random.permutation(verbs)[:2], *random.permutation(nouns)[:3]])

    root = tmp_path / "downloads"
    root.mkdir()
    for name, rows in (("Train_GCC-training.tsv", 120), ("Validation_GCC-1.1.0-Validation.tsv", 20)):
        (root / name).write_text("".join(f"{caption()}\thttp://host/{name[:2]}{row}\n" for row in range(rows)))
    for name, file in (("flickr30k", "dataset_flickr30k.json"), ("coco", "dataset_coco.json")):
        images = []
        for row in range(30):
            same = caption()
            images.append(
                {
                    "filename": f"{row}.jpg",
                    "cocoid": row,
                    "split": "test",
                    "sentences": [{"raw": same, "sentid": 5 * row + n} for n in range(5)],
                }
            )
        (root / file).write_text(json.dumps({"dataset": name, "images": images}))
    partial = [f"prepare.{name}.allow-partial=true" for name in ("cc3m", "flickr30k", "mscoco")]
    small = ["cluster.k=4", "train.batch-size=20", *partial]
    features = [f"{name}={name}.parquet" for name in ("cc3m", "flickr30k", "mscoco")]
    flags = [word for value in small for word in ("--set", value)] + [
        w for value in features for w in ("--media", value)
    ]
    return ("run", "cc3m-zero-shot", "--root", root, *FEW, "--set", "train.epochs=10", *flags, "-o", "out")


@pytest.mark.slow
def test_cc3m_is_scored_on_data_it_never_saw(zero_shot, tmp_path, mmts, write_artifact) -> None:
    assert mmts(*zero_shot, "--only", "prepare").code == 0
    for name, suffix in (("cc3m", ""), ("flickr30k", "-flickr30k"), ("mscoco", "-mscoco")):
        features_of_texts(write_artifact, tmp_path / f"out/annotations{suffix}.parquet", tmp_path / f"{name}.parquet")
    ran = mmts(*zero_shot)
    assert ran.code == 0, ran.err
    assert commands(ran) == [*["prepare"] * 3, *["embed"] * 3, "cluster", "shifts", "train", *["eval"] * 3]
    for name in ("flickr30k", "mscoco-5k", "mscoco-1k"):
        metrics = json.loads((tmp_path / "out" / f"scores-mmts-{name}" / "metrics.json").read_text())
        assert metrics["queries"] == {"text_to_media": 150, "media_to_text": 30}
        assert metrics["scores"]["overall"]["media_to_text"]["recall@5"]["value"] > 50
    again = mmts(*zero_shot)
    assert (again.code, set(written(again))) == (0, {"up to date"})


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(zero_shot, tmp_path, mmts, write_artifact, monkeypatch) -> None:
    assert mmts(*zero_shot, "--only", "prepare").code == 0
    for name, suffix in (("cc3m", ""), ("flickr30k", "-flickr30k"), ("mscoco", "-mscoco")):
        features_of_texts(write_artifact, tmp_path / f"out/annotations{suffix}.parquet", tmp_path / f"{name}.parquet")
    import pipelines.train.loop as loop

    take_step = loop.take_step

    def stop_at_30(session, batch, step):
        if step == 30:
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(session, batch, step)

    monkeypatch.setattr(loop, "take_step", stop_at_30)
    stopped = mmts(*zero_shot)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-2].startswith("mmts: stopped at step 31 of 60")
    assert stopped.err.splitlines()[-1] == "here the same command alone goes on where it stopped"
    assert commands(stopped)[-1] == "train"
    monkeypatch.setattr(loop, "take_step", take_step)
    ran = mmts(*zero_shot)
    assert (ran.code, written(ran)) == (0, [*["up to date"] * 8, *["written"] * 4])
    assert pq.read_table("out/run-mmts/steps.parquet")["step"].to_pylist() == list(range(60))


def test_a_stage_that_fails_ends_the_run_with_its_own_line(zero_shot, mmts) -> None:
    Path("cc3m.parquet").write_text("no features")
    for name in ("flickr30k", "mscoco"):
        Path(f"{name}.parquet").write_text("no features")
    ran = mmts(*zero_shot)
    assert ran.code == 2
    assert commands(ran)[-1] == "train"
    failed, hint = ran.err.splitlines()[-2:]
    assert failed.startswith("mmts: cc3m.parquet: is not a Parquet file")
    assert hint == "here a flag of that command is given by --set train.FLAG=VALUE"


def test_features_that_are_not_there_are_asked_for_before_the_first_stage(zero_shot, mmts) -> None:
    ran = mmts(*zero_shot)
    assert (ran.code, commands(ran)) == (2, [])
    assert ran.err.splitlines()[-1] == "mmts: cc3m.parquet: no such file"


def test_a_file_that_is_read_last_is_asked_for_first(tmp_path, refused) -> None:
    assert refused("run", "ek100-kmeans", "--root", tmp_path, "--media", "f.parquet") == (
        f"{tmp_path}/EPIC_100_tail_nouns.csv: no such file, nor one of that name below {tmp_path}; download it, "
        "or leave it out: --set 'eval.tail-classes=[]'"
    )
    assert not list(tmp_path.iterdir())


def test_training_on_several_devices_gets_a_process_of_its_own(zero_shot, mmts, monkeypatch) -> None:
    typed = []

    class Started:
        def __init__(self, words, env):
            typed.append(words)
            assert env["PYTHONSAFEPATH"] == "1"

        def wait(self):
            return 3

    monkeypatch.setattr("mmts_cli.chain.subprocess.Popen", Started)
    ran = mmts(*zero_shot, "--set", "train.devices=2", "--only", "train")
    assert ran.code == 3
    assert typed[0][1:4] == ["-m", "mmts_cli", "train"]
    assert typed[0][typed[0].index("--devices") + 1] == "2"


def test_a_process_of_a_launcher_is_refused(zero_shot, refused, monkeypatch) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("LOCAL_WORLD_SIZE", "4"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert refused(*zero_shot).startswith(
        "mmts run starts its own processes; start it once, with --set train.devices=N"
    )
