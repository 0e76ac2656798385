"""Options, TOML, JSON, run folders and recipes that are wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bad_inputs.case import BadInput, good

_TRAIN = "train {good}/annotations.parquet -o run --media {good}/media.parquet --text {good}/text.parquet"
_FIXED = f"{_TRAIN} --temperature fixed --epochs 1 --batch-size 16 --dimension 8 --device cpu"
_MMTS = f"{_TRAIN} --shifts {{good}}/shifts.parquet --epochs 2 --batch-size 16 --device cpu"
_EVAL = "eval --annotations {good}/annotations.parquet --media {good}/media.parquet --text {good}/text.parquet -o out"
_CLUSTER = "cluster {good}/text.parquet -o out"
_SHIFTS = "shifts {good}/clusters.parquet -o out"
_PLAN = "plan {good}/shifts.parquet --alpha 0.04"
_COMPARE = "compare {good}/scores {good}/scores-mmts"
_TABLE = "prepare table {good}/captions.csv -o out --text-column caption"
_RECIPE = """about = "x"
[prepare.flickr30k]
[cluster]
k = 2
[shifts]
min = 0.05
max = 0.1
[towers]
media = "annotations"
[runs.a]
temperature = "fixed"
"""


def text(name: str, content: str | bytes) -> Callable[[Path], None]:
    """Write one file."""

    def make(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def copied(name: str, change: Callable[[Path], None], to: str | None = None) -> Callable[[Path], None]:
    """A good file or folder, copied and spoiled."""

    def make(folder: Path) -> None:
        source, target = good(folder) / name, folder / (to or name)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
        change(target)

    return make


def without(*names: str) -> Callable[[Path], None]:
    """Take files or folders away."""

    def change(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()

    return change


def cut(name: str) -> Callable[[Path], None]:
    """Keep half of a file."""

    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return change


def options(group: str, line: str, *cases: tuple[str, str]) -> list[BadInput]:
    """Cases of one command line, each with other options and a piece that its message has to hold."""
    return [BadInput(f"{group}-{n}", f"{line} {flags}".strip(), (says,)) for n, (flags, says) in enumerate(cases)]


def tomls(group: str, line: str, *cases: tuple[str | bytes, str]) -> list[BadInput]:
    """Cases of one command line, each with another ``--config`` file."""
    return [
        BadInput(f"{group}-toml-{n}", f"{line} --config f.toml", ("f.toml", says), text("f.toml", content))
        for n, (content, says) in enumerate(cases)
    ]


def recipes(*cases: tuple[str, str]) -> list[BadInput]:
    """Recipes, each with a piece that its message has to hold."""
    line = "run r.toml --root {dir} -o out --media {good}/media.parquet"
    return [
        BadInput(f"recipe-{n}", line, ("r.toml", says), text("r.toml", content))
        for n, (content, says) in enumerate(cases)
    ]


CASES = [
    *options("app", "", ("clutser", "cluster"), ("--nope", "--nope"), ("prepare nowhere", "nowhere")),
    *options(
        "cluster",
        _CLUSTER,
        ("", "--k"),
        ("--k 0", "--k"),
        ("--k -1", "--k"),
        ("--k four", "--k"),
        ("--k 2 --kk 3", "--kk"),
        ("--k 2 --niter 0", "--niter"),
        ("--k 2 --seed -1", "--seed"),
        ("--k 2 --seed 99999999999999999999", "--seed"),
        ("--method kmean --k 2", "kmeans"),
        ("--method class", "--column"),
        ("--k 2 --fit-split nowhere", "nowhere"),
    ),
    *options(
        "shifts",
        _SHIFTS,
        ("--min 0.3 --max 0.1", "0.3"),
        ("--min nan --max 0.1", "nan"),
        ("--min 0.1 --max inf", "inf"),
        ("--min 0.1", "--max"),
        ("--min x --max 0.1", "--min"),
        ("--min 0.1 --max 0.2 --rule cubic", "cubic"),
        ("--min 1e-50 --max 0.2", "1e-50"),
        ("--min 0.1 --max 1e99", "1e+99"),
        ("", "--tail"),
        ("--max 0.1", "--min"),
        ("--tail 1.01", "tail"),
        ("--tail nan", "tail"),
        ("--tail -inf", "tail"),
        ("--tail x", "--tail"),
        ("--tail 0.5 --level 0", "level"),
        ("--tail 0.5 --level nan", "level"),
        ("--tail 0.5 --level -0.1", "level"),
        ("--tail 0.5 --level 1e300", "2e+300"),
        ("--tail 0.5 --min 0.1", "--min"),
        ("--tail 0.5 --min 0.1 --max 0.2", "--max"),
        ("--min 0.1 --max 0.2 --level 0.1", "--level"),
        ("--level 0.1", "--tail"),
        ("--tail 0 --rule log", "--rule"),
    ),
    *options(
        "plan",
        _PLAN,
        ("", "--steps"),
        ("--steps 0", "--steps"),
        ("--steps -5", "--steps"),
        ("--steps 1000000000000", "--steps"),
        ("--steps 10 --oscillations 0", "oscillation"),
        ("--steps 10 --oscillations 1000000000000", "oscillations"),
        ("--steps 10 --oscillations nan", "oscillations"),
        ("--steps 10 --alpha 9", "alpha"),
        ("--steps 10 --alpha nan", "alpha"),
        ("--steps 10 --loss other", "other"),
        ("--steps 10 --oscillations 1 --picture p.exe", "p.exe"),
        ("--steps 10 --oscillations 1 --annotations nowhere.parquet", "nowhere.parquet"),
        ("--steps 10 --oscillations 1 --split nowhere --annotations {good}/annotations.parquet", "nowhere"),
    ),
    *options(
        "train",
        _FIXED,
        ("--epochs 0", "epochs"),
        ("--epochs 1000000000000", "epochs"),
        ("--batch-size 1", "batch"),
        ("--batch-size -4", "batch"),
        ("--lr -1", "lr"),
        ("--lr nan", "lr"),
        ("--dimension 0", "dimension"),
        ("--dimension 1000000000000", "dimension"),
        ("--tau 0", "tau"),
        ("--tau -1", "tau"),
        ("--tau inf", "tau"),
        ("--tau nan", "tau"),
        ("--seed -1", "seed"),
        ("--seed 99999999999999999999999", "seed"),
        ("--weight-decay -1", "weight"),
        ("--micro-batch 0", "micro"),
        ("--temperature warm", "warm"),
        ("--loss other", "other"),
        ("--device tpu9", "tpu9"),
        ("--device cuda:99", "cuda"),
        ("--precision 8", "8"),
        ("--devices 0", "devices"),
        ("--workers -1", "workers"),
        ("--split nowhere", "nowhere"),
        ("--val-split nowhere", "nowhere"),
        ("--patience 0", "patience"),
        ("--frames 4", "frames"),
        ("--augment crop", "augment"),
        ("--lora-rank 2", "lora"),
        ("--freeze nothing.*", "freeze"),
        ("--shifts {good}/shifts.parquet", "shifts"),
        ("--checkpoint-minutes -1", "checkpoint"),
        ("--checkpoint-steps 0", "checkpoint"),
        ("--max-grad-norm 0", "norm"),
        ("--warmup-epochs -1", "warmup"),
        ("--warmup-lr 9", "--lr"),
        ("--warmup-lr 0.0001 --warmup-epochs 0", "--warmup-epochs"),
        ("--reshuffle never", "reshuffle"),
        ("--reshuffle once --sampling cluster --clusters {good}/clusters.parquet", "--sampling cluster"),
        ("--crop-scale 0.5,1.0", "--augment none"),
        ("--flip 0.5", "--augment none"),
        ("--color 0.5", "--augment none"),
        ("--metric mAP", "verb_class"),
        ("--logger nowhere", "nowhere"),
        ("--layer-decay 0", "decay"),
        ("--annotations x", "--annotations"),
    ),
    *options(
        "train-mmts",
        _MMTS,
        ("--alpha 9", "alpha"),
        ("--alpha -1", "alpha"),
        ("--alpha 0.04 --oscillations 0", "oscillation"),
        ("--alpha 0.04 --oscillations 1000000000000", "oscillations"),
        ("--alpha nan", "alpha"),
        ("--tau 0.1", "tau"),
        ("--rho 6", "rho"),
    ),
    *options(
        "eval",
        _EVAL,
        ("--protocol other", "other"),
        ("--split nowhere", "nowhere"),
        ("--folds 0", "folds"),
        ("--resamples -1", "resamples"),
        ("--ties never", "never"),
        ("--block-memory 0", "block-memory"),
        ("--gallery some", "some"),
        ("--relevancy r.parquet", "--relevancy"),
        ("--tail-classes t.csv", "--tail-classes"),
        ("--clusters nowhere.parquet", "nowhere.parquet"),
        ("--max-bad 3", "--max-bad"),
    ),
    *options(
        "compare",
        _COMPARE,
        ("--seed -1", "seed"),
        ("{good}/run", "run"),
        ("nowhere", "nowhere"),
        ("-o {good}/annotations.parquet", "annotations.parquet"),
    ),
    BadInput("compare-one", "compare {good}/scores", ("two",)),
    *options(
        "export",
        "export {good}/run -o out",
        ("--to coreml", "coreml"),
        ("--scores nowhere", "nowhere"),
        ("--scores {good}/scores-mmts", "scores-mmts"),
    ),
    BadInput("export-over-the-run", "export {good}/run -o {good}/run --force", ("run",)),
    BadInput("export-into-the-run", "export {good}/run -o {good}/run/model --force", ("model",)),
    *options(
        "inspect",
        "inspect",
        ("nowhere.parquet", "nowhere.parquet"),
        ("{good}", "directory"),
        ("{good}/captions.csv", "captions.csv"),
        ("{good}/shifts.parquet --rows -1", "--rows"),
        ("{good}/shifts.parquet --rows x", "--rows"),
        ("{good}/shifts.parquet another", "another"),
    ),
    *options(
        "demo",
        "demo --dir out",
        ("--count 0", "count"),
        ("--count -3", "count"),
        ("--count x", "--count"),
        ("--imbalance -1", "imbalance"),
        ("--imbalance nan", "imbalance"),
    ),
    BadInput("demo-in-a-file", "demo --dir {good}/captions.csv", ("captions.csv", "folder")),
    *options(
        "prepare",
        _TABLE,
        ("--id-column nowhere", "nowhere"),
        ("--media-column captoin", "caption"),
        ("--class-column nowhere", "nowhere"),
        ("--start-column caption --end-column caption", "caption"),
    ),
    *options(
        "run",
        "run",
        ("ek100-max-margn --root {dir}", "ek100-max-margin"),
        ("ek100-max-margin", "--root"),
        ("nowhere.toml --root {dir}", "nowhere.toml"),
        ("youcook2 --root {dir} --set x", "--set x"),
        ("youcook2 --root {dir} --set train.epoch=2", "epochs"),
        ("youcook2 --root {dir} --set about.x=2", "about"),
        ("youcook2 --root {dir} --media f.parquet --only bake", "bake"),
        ("youcook2 --root {dir} --media f.parquet --run nowhere", "nowhere"),
    ),
    *tomls(
        "cluster",
        _CLUSTER,
        ("k = ", "not valid TOML"),
        ("k = 1\nk = 2", "not valid TOML"),
        (b"\xff\xfek\x00", "not valid TOML"),
        ('k = "3"', "integer"),
        ("k = [3]", "integer"),
        ("kk = 3", "kk"),
        ("k = 1979-05-27", "integer"),
        ("[cluster]\nk = 3.5", "integer"),
        ("[cluster.k]\nx = 3", "k"),
        ("k = 3\n" + "x" * 5000 + " = 1", "xxx"),
    ),
    *tomls("train", _FIXED, ("epoch = 3", "epochs"), ('epochs = "3"', "epochs")),
    *recipes(
        ("about = 3", "about"),
        (_RECIPE.replace("[towers]", "[tower]"), "towers"),
        (_RECIPE.replace('media = "annotations"', ""), "media"),
        (_RECIPE.replace("k = 2", 'k = "2"'), "k"),
        (_RECIPE.replace("k = 2", "kk = 2"), "kk"),
        (_RECIPE.replace("flickr30k", "flicker30k"), "flickr30k"),
        (_RECIPE.replace("[runs.a]", "[runs.'../a']"), "runs"),
        (_RECIPE.replace("[runs.a]", "[run.a]"), "run"),
        (_RECIPE.replace('temperature = "fixed"', 'temperature = "warm"'), "temperature"),
        (_RECIPE.replace('temperature = "fixed"', 'output = "x"'), "output"),
        ('baseline = "b"\n' + _RECIPE, "baseline"),
        ('extends = "r.toml"\n' + _RECIPE, "extends"),
        ("extends = 3\n" + _RECIPE, "extends"),
        (_RECIPE + "[evals.x]\ndata = 'y'\n", "y"),
        ("[" * 5000, "TOML"),
    ),
    BadInput("config-none", f"{_FIXED} --config c.json", ("c.json", "no such file")),
    BadInput("config-list", f"{_FIXED} --config c.json", ("c.json", "config.json"), text("c.json", "[]")),
    BadInput("config-deep", f"{_FIXED} --config c.json", ("c.json", "JSON"), text("c.json", "[" * 20_000)),
    BadInput("config-nan", f"{_FIXED} --config c.json", ("c.json",), text("c.json", '{"command": NaN}')),
    BadInput("config-of-eval", f"{_FIXED} --config c.json", ("c.json",), text("c.json", '{"command": "eval"}')),
    BadInput("config-no-parameters", f"{_FIXED} --config c.json", ("c.json",), text("c.json", '{"command": "train"}')),
    BadInput(
        "config-odd-parameters",
        f"{_FIXED} --config c.json",
        ("c.json",),
        text("c.json", '{"command": "train", "parameters": [1]}'),
    ),
    *[
        BadInput(f"run-{name}", "eval run -o out", ("run", says), copied("run", change))
        for name, change, says in (
            ("without-metrics", without("metrics.json"), "run"),
            ("without-steps", without("steps.parquet"), "run"),
            ("without-model", without("model"), "run"),
        )
    ],
    BadInput(
        "metrics-of-scores",
        f"{_COMPARE.split()[0]} s {{good}}/scores",
        ("s",),
        copied("scores", cut("metrics.json"), "s"),
    ),
    BadInput("ranks-of-scores", "compare s {good}/scores", ("ranks",), copied("scores", without("ranks.parquet"), "s")),
    BadInput(
        "output-a-device", f"{_SHIFTS.replace('-o out', '-o /dev/null')} --min 0.1 --max 0.2 --force", ("device",)
    ),
    BadInput("output-the-root", f"{_SHIFTS.replace('-o out', '-o /')} --min 0.1 --max 0.2", ("/",)),
    BadInput("output-too-long", f"{_SHIFTS.replace('-o out', '-o ' + 'o' * 300)} --min 0.1 --max 0.2", ("can't be",)),
]
