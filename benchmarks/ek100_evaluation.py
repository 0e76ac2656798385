"""EK-100 retrieval evaluation against a plain NumPy one that sorts and gathers full float64 matrices.

Both start from the same made embeddings (9,668 clips, 3,842 sentences, 256 dimensions, float32) and the same real
annotations, and end with mAP, binary mAP and nDCG of every query in both directions. Each runs in its own process;
memory is the peak above what the inputs take.

    MMTS_DATA_DIR=... python benchmarks/ek100_evaluation.py [--repeats 3]
"""

import argparse
import ast
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import figure

from pipelines.scores import EmbeddingScores, class_relevancy, graded_scores_both_ways

Inputs = tuple[np.ndarray, np.ndarray, list[int], list[list[int]], np.ndarray]
DIMENSION = 256


def read_inputs() -> Inputs:
    folder = Path(os.environ["MMTS_DATA_DIR"]) / "ek100"
    with (folder / "EPIC_100_retrieval_test.csv").open(newline="") as file:
        clips = list(csv.DictReader(file))
    with (folder / "EPIC_100_retrieval_test_sentence.csv").open(newline="") as file:
        sentences = [row["narration_id"] for row in csv.DictReader(file)]
    row_of = {clip["narration_id"]: row for row, clip in enumerate(clips)}
    index_m = np.array([row_of[narration_id] for narration_id in sentences])
    rng = np.random.default_rng(0)
    media_nd = rng.standard_normal((len(clips), DIMENSION), dtype=np.float32)
    text_md = rng.standard_normal((len(sentences), DIMENSION), dtype=np.float32)
    verbs = [int(clip["verb_class"]) for clip in clips]
    nouns = [ast.literal_eval(clip["all_noun_classes"]) for clip in clips]
    return media_nd, text_md, verbs, nouns, index_m


def ours(inputs: Inputs) -> list[float]:
    media_nd, text_md, verbs, nouns, index_m = inputs
    relevancy = class_relevancy(verbs, nouns, index_m)
    means: list[float] = []
    for result in graded_scores_both_ways(EmbeddingScores(media_nd, text_md), relevancy):
        values = (result.average_precision, result.average_precision_binary, result.ndcg)
        means += [float(np.nanmean(value_q)) for value_q in values]
    return means


def plain(inputs: Inputs) -> list[float]:
    media_nd, text_md, verbs, nouns, index_m = inputs
    has_noun_nc = np.zeros((len(nouns), 1 + max(max(row) for row in nouns)))
    for row, classes in enumerate(nouns):
        has_noun_nc[row, classes] = 1
    verb_n = np.array(verbs)
    shared_nm = has_noun_nc @ has_noun_nc[index_m].T
    size_n = has_noun_nc.sum(axis=1)
    iou_nm = shared_nm / (size_n[:, None] + size_n[index_m] - shared_nm)
    relevancy_nm = 0.5 * (verb_n[:, None] == verb_n[index_m]) + 0.5 * iou_nm
    media_nd = media_nd / np.linalg.norm(media_nd, axis=1, keepdims=True)
    text_md = text_md / np.linalg.norm(text_md, axis=1, keepdims=True)
    scores_nm = (media_nd @ text_md.T).astype(np.float64)
    means: list[float] = []
    for scores, graded in ((scores_nm, relevancy_nm), (scores_nm.T, relevancy_nm.T)):
        means += plain_direction(np.ascontiguousarray(scores), np.ascontiguousarray(graded))
    return means


def plain_direction(scores_qi: np.ndarray, relevancy_qi: np.ndarray) -> list[float]:
    ranked_qi = np.take_along_axis(relevancy_qi, np.argsort(-scores_qi, axis=1), axis=1)
    ideal_qi = np.sort(relevancy_qi, axis=1)[:, ::-1]
    place_i = np.arange(1, scores_qi.shape[1] + 1)
    counted_qi = place_i <= (relevancy_qi > 0).sum(axis=1, keepdims=True)
    discount_i = 1 / np.log2(place_i + 1)
    ndcg_q = (ranked_qi * counted_qi * discount_i).sum(axis=1) / (ideal_qi * counted_qi * discount_i).sum(axis=1)
    exact_qi = ranked_qi == 1
    with np.errstate(invalid="ignore"):
        published_q = (np.cumsum(ranked_qi, axis=1) / place_i * exact_qi).sum(axis=1) / exact_qi.sum(axis=1)
        binary_q = (np.cumsum(exact_qi, axis=1) / place_i * exact_qi).sum(axis=1) / exact_qi.sum(axis=1)
    return [100 * float(np.nanmean(values)) for values in (published_q, binary_q, ndcg_q)]


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str) -> dict[str, Any]:
    """One run in this process; its time, the growth of the peak memory, its results."""
    functions: dict[str, Callable[[Inputs], list[float]]] = {"ours": ours, "plain": plain}
    inputs = read_inputs()
    before = peak_bytes()
    start = time.perf_counter()
    means = functions[name](inputs)
    return {"seconds": time.perf_counter() - start, "bytes": peak_bytes() - before, "means": means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, alternating; the median counts")
    parser.add_argument("--only", choices=["ours", "plain"], help="one run in this process, as JSON")
    arguments = parser.parse_args()
    if "MMTS_DATA_DIR" not in os.environ:
        print("left out: MMTS_DATA_DIR is not set")
        return
    if arguments.only:
        print(json.dumps(measure(arguments.only)))
        return
    runs: dict[str, list[dict[str, Any]]] = {"plain": [], "ours": []}
    for _ in range(arguments.repeats):
        for name, results in runs.items():
            command = [sys.executable, __file__, "--only", name]
            results.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    seconds = {name: statistics.median(run["seconds"] for run in results) for name, results in runs.items()}
    memory = {name: statistics.median(run["bytes"] for run in results) for name, results in runs.items()}
    np.testing.assert_allclose(runs["ours"][0]["means"], runs["plain"][0]["means"], rtol=1e-4)
    print("random scores, 9668 x 3842: mAP / mAP_binary / nDCG, video to text then text to video")
    print("  " + "  ".join(f"{value:.2f}" for value in runs["ours"][0]["means"]))
    for name in runs:
        print(f"{name:>6}: {seconds[name]:6.2f} s  {memory[name] / 2**20:7.0f} MiB")
    against = "NumPy that sorts and gathers full matrices"
    figure("EK-100 evaluation, 9,668 x 3,842", against, seconds["plain"] / seconds["ours"], "times as fast")
    figure("EK-100 evaluation, memory", against, memory["ours"] / memory["plain"], "of the memory")


if __name__ == "__main__":
    main()
