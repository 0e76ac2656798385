"""Recipes: those that come with mmts are right to the last flag, and wrong ones are told in a line."""

import json
import shlex

import pytest
from typer.main import get_command

from mmts_cli.app import app
from mmts_cli.recipe import load_recipe, shipped_recipes
from mmts_cli.recipe_steps import Places, recipe_steps
from pipelines.train import TrainConfig

NAMES = sorted(shipped_recipes())
SMALL = """
about = "a table"
[prepare.table]
source = "{root}/captions.csv"
text-column = "caption"
[cluster]
k = 3
[shifts]
min = 0.1
max = 0.2
[towers]
media = "{root}/images.zip"
media-model = "vit"
lr = 1e-5
[train]
epochs = 4
[runs.mmts]
alpha = 0.1
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "my data").mkdir()
    for folder in ("d", "my data"):
        (tmp_path / folder / "captions.csv").touch()

    def write(text: str = SMALL, name: str = "small.toml", **changes: str) -> str:
        for old, new in changes.items():
            text = text.replace(old.replace("__", " "), new)
        (tmp_path / name).write_text(text)
        return name

    return write


@pytest.fixture
def root(tmp_path):
    """A root with what the shipped recipes name below it."""
    (tmp_path / "data" / "avion").mkdir(parents=True)
    (tmp_path / "data" / "EPIC_100_tail_nouns.csv").write_text("noun\n1\n")
    return tmp_path / "data"


def parsed(words: list[str]):
    """What the parser makes of a command line; it raises on a flag or value that the command does not accept."""
    command, rest = get_command(app), list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command.make_context("mmts", rest).params


def lines(ran) -> list[list[str]]:
    assert (ran.code, ran.err) == (0, ""), ran
    commands = [shlex.split(line) for line in ran.out.splitlines()]
    assert {words[0] for words in commands} == {"mmts"}
    return [words[1:] for words in commands]


def test_there_is_one_for_each_of_the_papers_settings_and_their_ablations() -> None:
    settings = {"ek100-max-margin", "ek100-kmeans", "ek100-avion", "youcook2", "msrvtt", "cc3m-zero-shot"}
    ablations = {"ek100-ablations", "youcook2-ablations", "cc3m-ablations"}
    assert set(NAMES) == settings | ablations
    for name in ablations:
        assert load_recipe(name).run_names == ["fixed", "schedule-only", "shifts-only", "mmts"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("features", [True, False], ids=["features", "raw media"])
def test_every_command_of_a_shipped_recipe_is_one_that_can_be_typed(name, features, tmp_path) -> None:
    loaded = load_recipe(name)
    files = {data: tmp_path / f"{data}.parquet" for data in loaded.data_sets}
    places = Places(tmp_path, tmp_path / "out", files if features else {}, None if features else tmp_path)
    runs = {}
    for step in recipe_steps(loaded, places):
        given = parsed(step.words)
        if step.stage != "train":
            continue
        common = {"console", "json_output", "quiet", "debug", "config", "resume", "force"}
        settings = {key: value for key, value in given.items() if key not in common}
        runs[step.run] = TrainConfig(**{key: value for key, value in settings.items() if value is not None})
        assert given["resume"]
    assert list(runs) == loaded.run_names
    levels = [
        run.model_dump(exclude={"output", "shifts", "temperature", "tau", "alpha", "oscillations"})
        for run in runs.values()
    ]
    assert all(level == levels[0] for level in levels)  # the runs differ in their temperatures alone


def test_the_ek100_recipe_has_the_papers_numbers(mmts, root, videos) -> None:
    """As method.md gives them: alpha 0.2, shifts 0.17 .. 0.30, five oscillations, lr 3e-5 to 1e-5, 100 epochs."""
    ran = mmts("run", "ek100-max-margin", "--root", root, "--media-root", videos, "--dry-run")
    prepare, cluster, shifts, train, evaluation = (parsed(words) for words in lines(ran))
    assert (prepare["root"], prepare["media_root"].name) == (root, "videos")
    assert (cluster["method"], list(cluster["columns"])) == ("class", ["noun_class"])
    assert (shifts["minimum"], shifts["maximum"], shifts["rule"]) == (0.17, 0.30, "linear")
    assert (train["loss"], train["temperature"], train["alpha"], train["oscillations"]) == (
        "max-margin",
        "mmts",
        0.2,
        5,
    )
    assert (train["lr"], train["min_lr"], train["epochs"], train["warmup_epochs"]) == (3e-5, 1e-5, 100, 1)
    assert (train["positives"], train["min_relevancy"], train["frames"]) == ("relevancy", 0.1, 16)
    assert evaluation["protocol"] == "ek100"


def test_the_recipe_of_the_authors_run_has_their_scripts_numbers(mmts, root, videos) -> None:
    ran = mmts("run", "ek100-avion", "--root", root, "--media-root", videos, "--dry-run")
    train = next(parsed(words) for words in lines(ran) if words[0] == "train")
    expected = {
        **{"media_model": f"{root}/avion", "text_model": f"{root}/avion", "projection": "none", "frames": 16},
        **{"batch_size": 512, "devices": 4, "micro_batch": 128, "epochs": 100, "precision": "16-mixed"},
        **{"lr": 3e-5, "warmup_lr": 1e-6, "min_lr": 1e-5, "warmup_epochs": 1, "weight_decay": 0.01},
        **{"max_grad_norm": None, "augment": "crop", "crop_scale": "0.5,1.0", "flip": None, "color": None},
        **{"reshuffle": "once", "val_split": "test", "metric": "mAP", "positives": "relevancy", "min_relevancy": 0.1},
        **{"loss": "max-margin", "temperature": "mmts", "alpha": 0.2, "oscillations": 5},
    }
    assert {name: train[name] for name in expected} == expected


def test_a_model_that_is_not_there_is_told_before_anything_runs(refused, tmp_path) -> None:
    told = refused("run", "ek100-avion", "--root", tmp_path, "--media-root", tmp_path, "--dry-run")
    assert told == (
        f"{tmp_path}/avion: no such model; make it with `mmts models import`, or name another: "
        "--set towers.media-model=MODEL"
    )


@pytest.fixture
def videos(tmp_path):
    (folder := tmp_path / "videos").mkdir()
    return folder


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--media-root", "nowhere"), "--media-root nowhere: no such folder"),
        (("--set", "train.metric=map"), "--metric map: expected recall_sum"),
        (("--set", "train.metric=mAP_text_to_media"), "did you mean 'text_to_media_mAP'?"),
        (("--set", "eval.tail-classes=nowhere.csv"), "--tail-classes nowhere.csv: no such file"),
        (("--set", "towers.crop-scale=1.2,0.5"), "--crop-scale 1.2,0.5: expected the smallest and the largest share"),
    ],
)
def test_what_a_stage_would_refuse_is_refused_before_the_first(refused, root, videos, flags, message) -> None:
    assert message in refused("run", "ek100-avion", "--root", root, "--media-root", videos, *flags, "--dry-run")


def test_force_is_given_to_each_stage(mmts, root, videos) -> None:
    ran = mmts("run", "ek100-avion", "--root", root, "--media-root", videos, "--force", "--dry-run")
    assert [words[-1] for words in lines(ran)] == ["--force"] * 5
    assert not any("--resume" in words for words in lines(ran))


@pytest.mark.parametrize("name", NAMES)
def test_a_root_that_is_not_there_is_told_at_once(refused, tmp_path, name) -> None:
    line = ("run", name, "--root", tmp_path / "no", "--media-root", tmp_path)
    for dry in ((), ("--dry-run",)):
        assert refused(*line, *dry) == f"--root {tmp_path}/no: no such folder"


def test_a_number_may_be_one_of_a_flags_words(mmts, root, videos) -> None:
    ran = mmts(
        *("run", "ek100-avion", "--root", root, "--media-root", videos, "--dry-run"),
        *("--set", "towers.precision=32"),
    )
    assert next(parsed(words) for words in lines(ran) if words[0] == "train")["precision"] == "32"


def test_the_list_names_each_with_its_data_and_runs(mmts) -> None:
    ran = mmts("run", "--list")
    assert ran.code == 0
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert [head.split(":")[0] for head in heads] == NAMES
    assert "  data: cc3m, flickr30k, mscoco; runs: mmts" in ran.out.splitlines()


def test_a_dry_run_prints_commands_and_does_nothing(recipe, mmts, tmp_path) -> None:
    line = ("run", recipe(), "--root", "my data", "--output", "out here", "--dry-run")
    ran = mmts(*line)
    assert lines(ran) == [
        ["prepare", "table", "my data/captions.csv", "-o", "out here/annotations.parquet", "--text-column", "caption"],
        ["embed", "out here/annotations.parquet", "-o", "out here/embeddings.parquet"],
        ["cluster", "out here/embeddings.parquet", "-o", "out here/clusters.parquet", "--k", "3"],
        ["shifts", "out here/clusters.parquet", "-o", "out here/shifts.parquet", "--min", "0.1", "--max", "0.2"],
        [
            *("train", "out here/annotations.parquet", "-o", "out here/run-mmts", "--media", "my data/images.zip"),
            *("--text", "out here/embeddings.parquet", "--shifts", "out here/shifts.parquet", "--media-model", "vit"),
            *("--lr", "1e-05", "--epochs", "4", "--alpha", "0.1", "--resume"),
        ],
        ["eval", "out here/run-mmts", "-o", "out here/scores-mmts", "--clusters", "out here/shifts.parquet"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "my data", "small.toml"]
    as_json = json.loads(mmts(*line, "--json").out)
    assert as_json["commands"] == ran.out.splitlines()


def test_features_take_the_place_of_the_towers(recipe, mmts) -> None:
    line = ("run", recipe(), "--root", "d", "--media", "f.parquet", "--only", "train", "--dry-run")
    (train,) = lines(mmts(*line))
    assert train[4:] == [
        *("--media", "f.parquet", "--text", "small/embeddings.parquet", "--shifts", "small/shifts.parquet"),
        *("--epochs", "4", "--alpha", "0.1", "--resume"),
    ]


def test_names_of_old_are_read(recipe, mmts) -> None:
    changed = recipe(lr__='head = "none"\nlr ', epochs='strategy = "ddp"\nepochs')
    ran = mmts("run", changed, "--root", "d", "--only", "train", "--dry-run")
    assert ran.err.splitlines() == [
        "warning: small.toml: [towers]: 'head' is now called 'projection'; read as that",
        "warning: small.toml: [train]: 'strategy' is now called 'parallel'; read as that",
    ]
    assert "--projection none " in ran.out
    assert "--parallel ddp " in ran.out


def test_values_can_be_set_and_stages_and_runs_chosen(mmts, root) -> None:
    line = ("run", "ek100-ablations", "--root", root, "--media", "f.parquet", "--dry-run")
    stages = [words[0] for words in lines(mmts(*line))]
    assert stages == ["prepare", "embed", "cluster", "shifts", *["train", "eval"] * 4, "compare"]
    sets = ("--set", "train.epochs=2", "--set", "runs.fixed.tau = 0.3", "--set", "eval.tail-classes=[]")
    sets += ("--set", "cluster.method=kmeans", "--set", "cluster.k=5", "--set", "cluster.column=[]")
    sets += ("--set", "cluster.spherical=false")
    chosen = lines(mmts(*line, *sets, "--run", "fixed", "--only", "eval", "--only", "train", "--only", "cluster"))
    assert [words[0] for words in chosen] == ["cluster", "train", "eval"]
    assert chosen[0][4:] == ["--method", "kmeans", "--k", "5", "--euclidean"]
    given = parsed(chosen[1])
    assert (given["epochs"], given["tau"], given["output"].name) == (2, 0.3, "run-fixed")
    assert "--tail-classes" not in chosen[2]


def test_a_file_is_found_below_the_root(mmts, tmp_path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "EPIC_100_tail_nouns.csv").write_text("noun\n1\n")
    (words,) = lines(mmts("run", "ek100-kmeans", "--root", tmp_path, "--media", "f", "--only", "eval", "--dry-run"))
    assert words[-2:] == ["--tail-classes", str(folder / "EPIC_100_tail_nouns.csv")]


def test_a_recipe_extends_another_beside_it(recipe, mmts) -> None:
    recipe()
    own = recipe(
        'extends = "small.toml"\nabout = "b"\n[train]\nlr = 0.5\n[runs.fixed]\ntemperature = "fixed"\n', "b.toml"
    )
    loaded = load_recipe(own)
    assert loaded.run_names == ["fixed", "mmts"]
    assert loaded.train_flags("fixed", features=False) == {
        **{"media": "{root}/images.zip", "media-model": "vit", "lr": 0.5, "epochs": 4, "temperature": "fixed"}
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs", "epoch", "small.toml: [train]: 'epoch' is not a flag of mmts train; did you mean 'epochs'?"),
        ("k__=__3", "k = 3.5", "small.toml: [cluster]: k = 3.5: Input should be a valid integer"),
        ("[shifts]", "[shift]", "small.toml: 'shift' is not part of a recipe; did you mean 'shifts'?"),
        ("about", "abuot", "small.toml: 'abuot' is not part of a recipe; did you mean 'about'?"),
        ("about", "# about", "small.toml: has no about; a recipe needs one"),
        ("prepare.table", "prepare.tabel", "small.toml: [prepare.tabel]: no such data set; did you mean 'table'?"),
        ("epochs__=__4", 'text = "t"', "small.toml: [train] 'text' is given by mmts run itself; leave it out"),
        ("epochs__=__4", 'media = "t"', "small.toml: [train] 'media' is given by mmts run itself; leave it out"),
        ("[runs.mmts]", "[runs.'a/b']", "small.toml: runs.a/b"),
        ("[runs.mmts]", "baseline = 'fixd'\n[runs.mmts]", "small.toml: [train]: 'baseline' is not a flag of mmts"),
        ("about__=", "baseline = 'mmt'\nabout =", "small.toml: baseline = 'mmt': no such run; did you mean 'mmts'?"),
        ("[runs.mmts]", "[evals.x]\ndata = 'tabel'\n[runs.mmts]", "small.toml: [evals.x] data = 'tabel': has no"),
        ("media__=", "frames = 3\n#", "small.toml: [towers] has no media"),
        ("about__=", "extends = 'small.toml'\nabout =", "small.toml: extends itself, by way of small.toml"),
        ("about__=", "extends = 3\nabout =", "small.toml: extends = 3: the name of a recipe, or the path of a .toml"),
        ("about__=", "extends = 'ek10'\nabout =", "ek10: no such recipe; did you mean 'ek100-avion'?"),
        ("[train]", "train", "small.toml: not valid TOML ("),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_refused(recipe, refused, old, new, message) -> None:
    line = ("run", recipe(**{old: new}), "--root", "d", "--dry-run")
    assert refused(*line).startswith(message)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("youcok2",), "youcok2: no such recipe; did you mean 'youcook2'?; see mmts run --list"),
        (("you.toml",), "you.toml: no such file"),
        (("youcook2",), "--media-root is missing: the folder with the videos or images; or give --media"),
        (("youcook2", "--media", "ek100=f"), "--media ek100=...: the recipe has no data set 'ek100'"),
        (("cc3m-zero-shot", "--media", "f"), "--media f: the recipe has the data sets cc3m, flickr30k, mscoco"),
        (("cc3m-zero-shot", "--media", "cc3m=f"), "--media: no features of flickr30k, mscoco; give --media"),
        (("youcook2", "--set", "epochs=2"), "--set epochs=2: expected TABLE.FLAG=VALUE, such as train.epochs=2"),
        (("youcook2", "--set", "about.x=2"), "--set about.x=2: 'about' is not a table of the recipe"),
        (("youcook2", "--set", "train.epoch=2"), "youcook2: [train]: 'epoch' is not a flag of mmts train; did you"),
        (("youcook2", "--media", "f", "--only", "evl"), "--only evl: expected one of prepare, embed, "),
        (("youcook2", "--media", "f", "--run", "mm"), "--run mm: expected one of mmts; did you mean 'mmts'?"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused(recipe, refused, flags, message) -> None:
    recipe()
    assert refused("run", *flags, "--root", "d", "--dry-run").startswith(message)
