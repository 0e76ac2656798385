"""Protocol captions against the recalls of eccv-caption on MSCOCO's own ids."""

import warnings

import numpy as np
import pytest

from pipelines.scores import EmbeddingScores, score_retrieval

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would like ujson and tqdm
    eccv_caption = pytest.importorskip("eccv_caption")


def best_ten(scores_qi: np.ndarray) -> np.ndarray:
    """Items of each query's ten best scores, best first."""
    ten = np.argpartition(-scores_qi, 10, axis=1)[:, :10]
    return np.take_along_axis(ten, np.argsort(-np.take_along_axis(scores_qi, ten, axis=1), axis=1), axis=1)


@pytest.mark.parametrize(("folds", "theirs"), [(1, "coco_5k_recalls"), (5, "coco_1k_recalls")])
def test_recalls_equal_to_the_last_digit(folds: int, theirs: str) -> None:
    metrics = eccv_caption.Metrics()
    caption_ids = metrics.coco_ids
    image_ids = np.array([metrics.coco_gts["t2i"][int(caption)][0] for caption in caption_ids[::5]])
    index_m = np.repeat(np.arange(5000), 5)
    rng = np.random.default_rng(0)
    image_nd = rng.standard_normal((5000, 48)).astype(np.float32)
    caption_md = (image_nd[index_m] + 3 * rng.standard_normal((25000, 48))).astype(np.float32)

    source = EmbeddingScores(image_nd, caption_md)
    retrieved: dict[str, dict[int, list[int]]] = {"i2t": {}, "t2i": {}}
    for fold in range(5):
        images, captions = slice(1000 * fold, 1000 * (fold + 1)), slice(5000 * fold, 5000 * (fold + 1))
        seen_images, seen_captions = (images, captions) if folds == 5 else (slice(0, 5000), slice(0, 25000))
        texts = best_ten(source.block(images, seen_captions)) + seen_captions.start
        media = best_ten(source.block(seen_images, captions).T) + seen_images.start
        retrieved["i2t"] |= zip(image_ids[images].tolist(), caption_ids[texts].tolist(), strict=True)
        retrieved["t2i"] |= zip(caption_ids[captions].tolist(), image_ids[media].tolist(), strict=True)

    overall = score_retrieval(image_nd, caption_md, index_m, folds=folds, resamples=0).scores["overall"]
    for k in (1, 5, 10):
        expected = getattr(metrics, theirs)(retrieved, "all", K=k)
        for direction, name in (("media_to_text", "i2t"), ("text_to_media", "t2i")):
            assert 5 < expected[name] * 100 < 95
            assert overall[direction][f"recall@{k}"]["value"] == pytest.approx(100 * expected[name], rel=1e-14)
