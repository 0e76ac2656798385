"""The definitions once more, as slow explicit loops in float64."""

import numpy as np


def rank_of(score_i, positives, ties: str) -> tuple[int, bool]:
    """Best rank among the positives of one query, and whether the rule for ties matters."""
    best = max(score_i[item] for item in positives)
    own = [item for item in positives if score_i[item] == best]
    rank, others = 1, 0
    for item, score in enumerate(score_i):
        if score > best:
            rank += 1
        elif score == best and item not in own:
            others += 1
            if ties == "pessimistic" or (ties == "index" and item < min(own)):
                rank += 1
    return rank, others > 0


def ranks_of(scores_qi, positives, ties: str) -> tuple[list[int], list[int], list[bool]]:
    """Queries that have positives, their ranks, whether ties matter. ``positives[q]`` is a list of items."""
    queries = [query for query in range(len(scores_qi)) if positives[query]]
    results = [rank_of(scores_qi[query], positives[query], ties) for query in queries]
    return queries, [rank for rank, _ in results], [tied for _, tied in results]


def rank_metrics(ranks) -> dict[str, float]:
    """Recalls in percent, median and mean of a list of ranks."""
    recalls = {f"recall@{k}": 100.0 * sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 5, 10)}
    return {**recalls, "median_rank": float(np.median(ranks)), "mean_rank": sum(ranks) / len(ranks)}


def graded_of(score_i, relevancy_i, ties: str) -> tuple[float, float, float, bool]:
    """nDCG, published and binary average precision in percent of one query, and whether a tie bears on one of them."""
    order = {
        "index": lambda item: (-score_i[item], item),
        "optimistic": lambda item: (-score_i[item], -relevancy_i[item]),
        "pessimistic": lambda item: (-score_i[item], relevancy_i[item]),
    }[ties]
    ranked = [relevancy_i[item] for item in sorted(range(len(score_i)), key=order)]
    relevant = sum(value > 0 for value in ranked)
    gains = sum(value / np.log2(rank + 1) for rank, value in enumerate(ranked[:relevant], start=1))
    best = sorted(ranked, reverse=True)
    ideal = sum(value / np.log2(rank + 1) for rank, value in enumerate(best[:relevant], start=1))
    exact = [rank for rank, value in enumerate(ranked, start=1) if value == 1]
    published = [sum(ranked[:rank]) / rank for rank in exact]
    binary = [sum(value == 1 for value in ranked[:rank]) / rank for rank in exact]
    tied = any(
        score_i[a] == score_i[b]
        and relevancy_i[a] != relevancy_i[b]
        and (1 in (relevancy_i[a], relevancy_i[b]) or sum(score > score_i[a] for score in score_i) < relevant)
        for a in range(len(score_i))
        for b in range(a)
    )
    return (
        100 * gains / ideal if relevant else np.nan,
        100 * sum(published) / len(exact) if exact else np.nan,
        100 * sum(binary) / len(exact) if exact else np.nan,
        tied,
    )
