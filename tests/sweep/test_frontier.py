"""Fronts of head against tail: of made trials with scores known by hand, and of a sweep."""

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines.artifacts import StagePlan
from pipelines.artifacts.files import read_json, write_json
from pipelines.errors import InputError, Interrupted
from pipelines.evaluate import evaluate
from pipelines.scores.queries import DIRECTIONS
from pipelines.sweep import frontier, sweep
from pipelines.sweep import stage as stage_module
from pipelines.sweep.pareto import pareto_front
from pipelines.views.frontier import frontier_of
from pipelines.views.thirds import Score

# Mean recall of a query by its rank: 100 at 1, two thirds of it at 2 to 5, a third at 6 to 10, then 0.
FIRST, FIFTH, TENTH, LAST = 1, 5, 10, 11
THIRDS = ("head", "head", "middle", "middle", "tail", "tail")


@dataclass
class Made:
    """A sweep with made ranks: a text and a medium each for two queries of each third."""

    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    def trial(self, strategy, level, ranks, score, failed=None) -> str:
        """Add a trial whose queries have these ranks, in both directions."""
        number = 1 + sum(row["strategy"] == strategy for row in self.rows)
        name = f"{strategy}-infonce-trial-{number}"
        about = {"options": {"level": level}, "scores": {"recall_sum": score}}
        settings = json.dumps({"annotations": "a b.parquet", "tau": level, "freeze": ["x", "y"], "compile": True})
        fixed = {"run": name, "strategy": strategy, "loss": "infonce", "stage": "search", "split": "val"}
        self.rows.append({**fixed, "failed": failed, "settings": settings, "recall_sum": score})
        if failed is None:
            queries = [(direction, row) for direction in ("text_to_media", "media_to_text") for row in range(6)]
            columns = {
                "query_id": [f"q{row}" for _, row in queries],
                "media_id": [f"m{row}" for _, row in queries],
                "direction": [direction for direction, _ in queries],
                "rank": [ranks[row] for _, row in queries],
                "cluster_size": [1.0 for _ in queries],
                "third": [THIRDS[row] for _, row in queries],
                "tied": [False for _ in queries],
                "fold": [0 for _ in queries],
            }
            run = self.folder / "runs" / name
            run.mkdir(parents=True)
            self.write(run / "ranks.parquet", columns)
            write_json(
                run / "metrics.json",
                {
                    "protocol": "retrieval",
                    "ties": {"rule": "mean"},
                    "queries": dict.fromkeys(DIRECTIONS, 1),
                    "run": about,
                },
            )
        return name

    def write(self, path, columns, **parameters) -> None:
        table = pa.table(columns)
        with StagePlan("sweep", path, parameters, {}).writer(table.schema) as writer:
            writer.write(table)

    def finish(self):
        self.write(
            self.folder / "sweep.parquet",
            {name: [row[name] for row in self.rows] for name in self.rows[0]},
            metric="recall_sum",
        )
        return self.folder


@pytest.fixture
def made(tmp_path):
    """Five trials: three on the front, one below it with the highest overall, one that failed."""
    sweep = Made(tmp_path / "made")
    sweep.trial("fixed", 0.07, (FIRST, TENTH, TENTH, TENTH, TENTH, LAST), 250.0)
    sweep.trial("fixed", 0.2, (TENTH, FIFTH, FIRST, FIRST, TENTH, LAST), 350.0)
    sweep.trial("ts", 0.07, (FIFTH, TENTH, TENTH, TENTH, FIFTH, TENTH), 240.0)
    sweep.trial("ts", 0.2, (TENTH, LAST, TENTH, TENTH, FIRST, TENTH), 200.0)
    sweep.trial("ts", 0.3, None, None, failed="the loss is nan")
    sweep.finish()
    return sweep


def test_the_front_is_what_nothing_beats_in_both() -> None:
    head, tail = [3.0, 1.0, 2.0, 2.0, 2.0, 3.0, 0.0, 1.0], [1.0, 3.0, 2.0, 2.0, 1.0, 0.5, 3.0, 2.5]
    assert pareto_front(head, tail) == [0, 2, 3, 1]
    assert pareto_front([1.0], [1.0]) == [0]


def test_the_front_agrees_with_its_definition() -> None:
    head, tail = [float(row * 7 % 11) for row in range(60)], [float(row * row % 13) for row in range(60)]

    def is_beaten(row: int) -> bool:
        return any(
            head[other] >= head[row]
            and tail[other] >= tail[row]
            and (head[other], tail[other]) != (head[row], tail[row])
            for other in range(60)
        )

    front = pareto_front(head, tail)
    assert sorted(front) == [row for row in range(60) if not is_beaten(row)]
    assert [head[row] for row in front] == sorted((head[row] for row in front), reverse=True)


def test_scores_front_and_picks_are_those_by_hand(made) -> None:
    found = frontier(made.folder)
    values = {
        point["run"]: {name: round(score["value"], 3) for name, score in point["scores"].items()}
        for point in found["points"]
    }
    assert values == {
        "fixed-infonce-trial-1": {"overall": 38.889, "head": 66.667, "middle": 33.333, "tail": 16.667},
        "fixed-infonce-trial-2": {"overall": 55.556, "head": 50.0, "middle": 100.0, "tail": 16.667},
        "ts-infonce-trial-1": {"overall": 44.444, "head": 50.0, "middle": 33.333, "tail": 50.0},
        "ts-infonce-trial-2": {"overall": 38.889, "head": 16.667, "middle": 33.333, "tail": 66.667},
    }
    assert found["front"] == ["fixed-infonce-trial-1", "ts-infonce-trial-1", "ts-infonce-trial-2"]
    assert found["best"] == {
        "head": "fixed-infonce-trial-1",
        "balanced": "ts-infonce-trial-1",
        "tail": "ts-infonce-trial-2",
        "overall": "fixed-infonce-trial-2",
    }
    assert found["baseline"] == "fixed-infonce-trial-2"
    assert (found["trials"], found["split"], found["picked"]) == (4, "val", None)


def test_intervals_are_over_queries(made) -> None:
    points = {point["run"]: point["scores"] for point in frontier(made.folder)["points"]}
    # Both queries of the middle score alike, so resampling them changes nothing; those of the tail differ.
    assert points["fixed-infonce-trial-2"]["middle"] == {"value": 100.0, "low": 100.0, "high": 100.0}
    tail = points["fixed-infonce-trial-2"]["tail"]
    assert (tail["low"], tail["high"]) == (0.0, pytest.approx(100 / 3))


def test_a_pick_is_compared_in_pairs(made) -> None:
    # Each query of the tail gains a third on the baseline's best; of the head, one gains a third and one loses it.
    picked = frontier(made.folder, prefer="balanced")["picked"]
    against = picked["against"]["baseline"]["differences"]
    assert picked["run"] == "ts-infonce-trial-1"
    assert against["tail"] == {name: pytest.approx(100 / 3) for name in ("value", "low", "high")}
    head = {"value": 0.0, "low": -100 / 3, "high": 100 / 3}
    assert against["head"] == {name: pytest.approx(value, abs=1e-9) for name, value in head.items()}
    assert picked["against"]["overall"] == picked["against"]["baseline"]
    assert picked["tested"] is None


def test_equals_go_to_the_one_with_more_of_the_other(made) -> None:
    better = made.trial("mmts", 0.1, (FIFTH, LAST, LAST, LAST, FIRST, TENTH), 200.0)
    made.finish()
    assert frontier(made.folder)["best"]["tail"] == better


def test_one_loss_is_not_named_and_several_are(made) -> None:
    assert [point["name"] for point in frontier(made.folder)["points"]] == ["fixed", "fixed", "ts", "ts"]
    made.rows[2]["loss"] = "sigmoid"
    made.finish()
    names = [point["name"] for point in frontier(made.folder)["points"]]
    assert names == ["fixed, infonce", "fixed, infonce", "ts, sigmoid", "ts, infonce"]


def test_the_table_has_a_row_a_trial_the_front_first(made, tmp_path) -> None:
    frontier(made.folder, tmp_path / "front.parquet")
    rows = pq.read_table(tmp_path / "front.parquet").to_pylist()
    assert [row["run"].replace("-infonce-trial", "") for row in rows] == ["fixed-1", "ts-1", "ts-2", "fixed-2"]
    assert [row["on_front"] for row in rows] == [True, True, True, False]
    assert [row["best_for"] for row in rows] == [["head"], ["balanced"], ["tail"], ["overall"]]
    assert [round(row["tail"], 3) for row in rows] == [16.667, 50.0, 66.667, 16.667]
    assert (rows[3]["tail_low"], rows[3]["options"]) == (0.0, '{"level": 0.2}')


def test_words_for_people(made, mmts, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    lines = mmts("frontier", made.folder, "--prefer", "tail").out.splitlines()
    assert lines[0] == f"{made.folder}: 4 trials on val, 3 of them on the front of head against tail"
    rows = [line.split() for line in lines[4:8]]
    assert [row[0] for row in rows] == ["fixed", "ts", "*", "fixed"]
    assert rows[3][-7:] == ["best", "overall;", "baseline;", "not", "on", "the", "front"]
    said = "\n".join(lines[8:])
    assert "intervals are over queries alone" in said
    assert "the best of 4 trials looks better than it is" in said
    other = "the baseline's best trial, which is also the best overall (fixed with level 0.2)"
    assert f"  minus {other}: tail +50.0 (+33.3 to +66.7), head -33.3 " in said
    assert "no other seed of it was run" in said
    train = f"mmts train 'a b.parquet' --output {made.folder / 'tail'} --tau 0.2 --freeze x --freeze y --compile"
    assert lines[-1] == train


def test_a_pick_that_is_the_baseline_is_compared_with_nothing(made, mmts) -> None:
    out = mmts("frontier", made.folder, "--prefer", "overall").out
    assert "  it is the baseline's best trial, which is also the best overall\n" in out
    assert "minus" not in out


def test_json_and_the_picture(made, mmts, tmp_path) -> None:
    ran = mmts("frontier", made.folder, "--json", "--picture", tmp_path / "front.png", "--prefer", "head")
    found = json.loads(ran.out)
    assert found == {
        "command": "frontier",
        "output": None,
        "picture": str(tmp_path / "front.png"),
        **frontier(made.folder, prefer="head"),
    }
    with Image.open(tmp_path / "front.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(image.width * image.height)}
    assert {(0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)} <= colours


def test_the_view_has_the_points_and_who_is_on_the_front(made, mmts, tmp_path) -> None:
    found = frontier(made.folder, prefer="tail")
    seen = frontier_of(found)
    assert [point.run for point in seen.points] == [point["run"] for point in found["points"]]
    assert [point.run for point in seen.front] == found["front"]
    assert all(point.on_front for point in seen.front)
    assert (seen.split, seen.baseline.run) == ("val", "fixed-infonce-trial-2")
    assert (seen.picked[0], seen.picked[1].run) == ("tail", "ts-infonce-trial-2")
    assert seen.points[0].scores["head"] == Score(**found["points"][0]["scores"]["head"])
    assert frontier_of(frontier(made.folder)).picked is None
    mmts("plot", "frontier", made.folder, "-o", tmp_path / "a.svg")
    mmts("plot", "frontier", made.folder, "--prefer", "tail", "-o", tmp_path / "b.svg")
    assert (tmp_path / "a.svg").stat().st_size < (tmp_path / "b.svg").stat().st_size


def test_without_sizes_it_says_how_to_get_head_and_tail(config, world) -> None:
    sweep(config(clusters=[], strategies=["fixed"], levels=1, seeds=1))
    with pytest.raises(InputError, match=r"its val queries have no head and tail; sweep again with --frequency"):
        frontier(world.folder / "sweep")


def test_a_tested_setting_shows_its_test_scores(config, world) -> None:
    summary = sweep(config()).summary
    chosen = {each["strategy"]: each for each in summary["candidates"]}
    found = frontier(world.folder / "sweep", prefer="overall")
    point = next(each for each in found["points"] if each["run"] == found["picked"]["run"])
    tested, candidate = found["picked"]["tested"], chosen[point["strategy"]]
    assert point["options"] == candidate["options"]
    assert (tested["split"], tested["seeds"]) == ("test", 2)
    assert tested["scores"]["tail"] == candidate["scores"]["tail"]["mean"]["mean_recall"]
    changed = read_json(world.folder / "sweep" / "sweep.json")
    for each in changed["candidates"]:
        each["validation"]["search"] += 1.0
    write_json(world.folder / "sweep" / "sweep.json", changed)
    assert frontier(world.folder / "sweep", prefer="overall")["picked"]["tested"] is None


def test_trials_score_as_the_sweep_says_and_train_by_their_settings(config, world, mmts) -> None:
    sweep(config())
    folder = world.folder / "sweep"
    table = pq.read_table(folder / "sweep.parquet").to_pylist()
    rows = {row["run"]: row for row in table if row["stage"] == "search"}
    found = frontier(folder, prefer="tail")
    assert [point["run"] for point in found["points"]] == list(rows)
    for point in found["points"]:
        row = rows[point["run"]]
        assert point["scores"]["overall"]["value"] == pytest.approx(row["recall_sum"] / 6)
        assert point["scores"]["tail"]["value"] == pytest.approx(row["tail_recall_sum"] / 6)
        assert point["options"] == {name: row[name] for name in point["options"]}
    line = shlex.split(mmts("frontier", folder, "--prefer", "tail").out.splitlines()[-1])
    assert mmts(*line[1:]).code == 0
    scored = evaluate(folder / "scores", run=folder / "tail", split="val", resamples=0).summary
    metrics = read_json(folder / "runs" / found["picked"]["run"] / "metrics.json")
    assert (scored["scores"], scored["trained"]) == (metrics["scores"], metrics["trained"])


def test_a_search_without_its_tests_will_do(config, world, monkeypatch) -> None:
    perform_all = stage_module.perform_all

    def killed(runs, *rest):
        if any(run.stage == "test" for run in runs):
            raise KeyboardInterrupt
        return perform_all(runs, *rest)

    monkeypatch.setattr(stage_module, "perform_all", killed)
    with pytest.raises(Interrupted):
        sweep(config())
    found = frontier(world.folder / "sweep", prefer="tail")
    assert (found["trials"], found["picked"]["tested"]) == (4, None)
