"""Numbers beyond any use, names beyond any file system, options that do nothing."""

from bad_inputs.case import BadInput
from bad_inputs.commands import options

_FIXED = (
    "train {good}/annotations.parquet -o run --media {good}/media.parquet --text {good}/text.parquet "
    "--temperature fixed --epochs 1 --batch-size 16 --dimension 8 --device cpu"
)
_EVAL = "eval {good}/run -o out"
_CLUSTER = "cluster {good}/text.parquet -o out"
_SHIFTS = "shifts {good}/clusters.parquet -o out"
_PLAN = "plan {good}/shifts.parquet --alpha 0.04"
_COMPARE = "compare {good}/scores {good}/scores-mmts"

_LONG = "x" * 300
_DEEP = "/".join(["y" * 200] * 25)
HUGE = 10**12
_BEYOND = 10**30

# Each place for a path, in a command line that is right otherwise.
PATHS = (
    "prepare table {good}/captions.csv --text-column caption -o LONG",
    "prepare table LONG --text-column caption -o out",
    "prepare flickr8k --captions LONG -o out",
    "prepare youcook2 --root LONG -o out",
    "prepare msrvtt --root LONG -o out",
    "prepare cc3m --root LONG -o out",
    "prepare ek100 --root LONG -o out",
    "prepare features LONG -o out",
    "prepare features {good}/media.parquet --ids LONG -o out",
    "embed LONG -o out",
    "embed {good}/annotations.parquet -o LONG",
    "embed {good}/annotations.parquet -o out --model ./LONG",
    "embed {good}/annotations.parquet -o out --media LONG --model {good}/clip",
    "cluster LONG -o out --k 2",
    "cluster {good}/text.parquet -o LONG --k 2",
    "shifts LONG -o out --min 0.1 --max 0.2",
    "shifts {good}/clusters.parquet -o LONG --min 0.1 --max 0.2",
    "shifts {good}/clusters.parquet -o out --min 0.1 --max 0.2 --picture LONG.png",
    "plan LONG --steps 10",
    "plan {good}/shifts.parquet --steps 10 --annotations LONG",
    "plan {good}/shifts.parquet --steps 10 --alpha 0.04 --picture LONG.png",
    f"{_FIXED.replace('-o run', '-o LONG')}",
    f"{_FIXED.replace('{good}/annotations.parquet', 'LONG')}",
    f"{_FIXED.replace('{good}/media.parquet', 'LONG')}",
    f"{_FIXED.replace('{good}/text.parquet', 'LONG')}",
    f"{_FIXED.replace('--temperature fixed', '--temperature mmts')} --shifts LONG",
    f"{_FIXED.replace('{good}/media.parquet', '{good}/images')} --media-model ./LONG",
    f"{_FIXED} --config LONG.toml",
    f"{_FIXED} --config LONG.json",
    "eval LONG -o out",
    "eval {good}/run -o LONG",
    "eval {good}/run -o out --media LONG",
    "eval {good}/run -o out --text LONG",
    "eval {good}/run -o out --annotations LONG",
    "eval {good}/run -o out --clusters LONG",
    "eval {good}/run -o out --protocol ek100 --relevancy LONG",
    "eval {good}/run -o out --protocol ek100 --tail-classes LONG",
    "compare LONG {good}/scores",
    "compare {good}/scores {good}/scores-mmts -o LONG",
    "export LONG -o out",
    "export {good}/run -o LONG",
    "export {good}/run -o out --scores LONG",
    "inspect LONG",
    "demo --dir LONG",
    "run LONG.toml --root {dir}",
    "run youcook2 --root LONG --media {good}/media.parquet -q",
    "run youcook2 --root {dir} --media LONG",
)

CASES = [
    *[
        BadInput(f"name-{kind}-{n}-{line.split()[0]}", line.replace("LONG", long), ("long",))
        for kind, long in (("long", _LONG), ("deep", _DEEP))
        for n, line in enumerate(PATHS)
    ],
    *options(
        "train-more",
        _FIXED,
        ("--micro-batch 16", "--micro-batch"),
        ("--micro-batch 500", "--micro-batch"),
        ("--batch-size 512 --micro-batch 100", "--micro-batch"),
        ("--metric nonsense", "recall_sum"),
        ("--metric recal_sum", "recall_sum"),
        (f"--metric {'m' * 1000}", "recall_sum"),
        ("--positives relevancy", "verb_class"),
        (f"--patience {_BEYOND}", "patience"),
        (f"--warmup-epochs {HUGE}", "warmup"),
        ("--checkpoint-minutes nan", "checkpoint"),
        (f"--devices {HUGE}", "devices"),
        (f"--nodes {HUGE}", "nodes"),
    ),
    *options("shifts-more", f"{_SHIFTS} --min 0.1 --max 0.2", ("--picture p.bmp", "p.bmp")),
    *options("plan-more", f"{_PLAN} --steps 10", ("--picture p.bmp", "p.bmp")),
    *options(
        "compare-more",
        _COMPARE,
        (f"--resamples {HUGE}", "resamples"),
        (f"--resamples {_BEYOND}", "resamples"),
        ("--resamples -1", "resamples"),
        (f"--seed {_BEYOND}", "seed"),
    ),
    *options(
        "eval-more",
        _EVAL,
        (f"--folds {HUGE}", "folds"),
        (f"--folds {_BEYOND}", "folds"),
        ("--folds 25", "folds"),
        (f"--resamples {HUGE}", "resamples"),
        (f"--resamples {_BEYOND}", "resamples"),
        ("--seed -1", "seed"),
        (f"--seed {_BEYOND}", "seed"),
        ("--workers 2", "workers"),
    ),
    *options(
        "cluster-more",
        _CLUSTER,
        (f"--k {HUGE}", "--k"),
        (f"--k {_BEYOND}", "--k"),
        (f"--k 2 --niter {HUGE}", "--niter"),
        ("--k 2 --max-points-per-centroid 0", "--max-points"),
        ("--method hdbscan --k 3", "--k"),
        ("--method hdbscan --min-cluster-size 1", "--min-cluster-size"),
        (f"--method hdbscan --min-cluster-size {HUGE}", "--min-cluster-size"),
        ("--method hdbscan --umap-dims -1", "--umap-dims"),
        (f"--method hdbscan --umap-dims {HUGE}", "--umap-dims"),
        ("--method hdbscan --umap-neighbors 1", "--umap-neighbors"),
        (f"--method hdbscan --umap-neighbors {HUGE}", "--umap-neighbors"),
        ("--method hdbscan --umap-dims 0 --seed 3", "--seed"),
        ("--method hdbscan --noise loud", "loud"),
        ("--k 2 --levels 3", "--levels"),
        ("--method knn --neighbors 0", "--neighbors"),
        (f"--method knn --neighbors {HUGE}", "--neighbors"),
        ("--method knn --k 2", "--k"),
        ("--k 2 --by picture", "picture"),
        ("--k 2 --by media", "--annotations"),
        ("--k 2 --by media --annotations {good}/annotations.parquet", "give features"),
        ("--k 2 --by joint --annotations {good}/annotations.parquet", "--media"),
        ("--k 2 --by joint --annotations {good}/annotations.parquet --media {good}/text.parquet", "give features"),
        ("--k 2 --media {good}/media.parquet", "--by joint"),
        ("--k 2 --media-weight 0.5", "--by joint"),
        ("--k 2 --by media --annotations {good}/run", "run"),
    ),
    *options(
        "demo-more",
        "demo --dir out",
        (f"--count {HUGE}", "count"),
        (f"--seed {_BEYOND}", "seed"),
        ("--seed -1", "seed"),
    ),
]
