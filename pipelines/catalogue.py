"""The published data sets mmts reads: which files to download, from where, and what becomes of them.

Words only and no imports of libraries, so that the command line can show them at once. `pipelines.annotations` reads
the files.
"""

from dataclasses import dataclass

ALL_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Download:
    """One published file.

    Attributes:
        names: Its published name; alternatives of the same content follow, in order of preference.
        source: Where it comes from, in words.
        splits: The splits that need it.
        partial: Names of files that hold a part of it, taken only where a part is allowed.
        pattern: A regular expression of names, where the data set comes in numbered files; all below the root are one.
    """

    names: tuple[str, ...]
    source: str
    splits: tuple[str, ...] = ALL_SPLITS
    partial: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True)
class DataSet:
    """One published data set.

    Attributes:
        name: What the command line calls it.
        title: One line about it.
        splits: Its splits.
        ways: Sets of downloads, each complete by itself, in order of preference.
        media: What ``--media-root`` has to hold.
        notes: What becomes of the files.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    ways: tuple[tuple[Download, ...], ...]
    media: str
    notes: str


_KARPATHY_SITE = "Andrej Karpathy's page of 'Deep Visual-Semantic Alignments' (caption_datasets.zip)"
_COCO_SITE = "the COCO site, Download, {} Train/Val annotations"
_EK100 = "the annotations repository of EPIC-KITCHENS-100"
_EK100_RETRIEVAL = f"{_EK100}, folder retrieval_annotations"
_CLIP4CLIP = "the msrvtt_data.zip that the authors of CLIP4Clip release"


def _coco_way(year: int, train: tuple[str, ...], val: tuple[str, ...]) -> tuple[Download, ...]:
    lists = tuple(
        Download((f"karpathy_{split}_images.txt",), "the Up-Down-Captioner repository, data/coco_splits", (split,))
        for split in ALL_SPLITS
    )
    return (
        Download((f"captions_train{year}.json",), _COCO_SITE.format(year), train),
        Download((f"captions_val{year}.json",), _COCO_SITE.format(year), val),
        *lists,
    )


FLICKR30K = DataSet(
    name="flickr30k",
    title="Flickr30K, Karpathy's splits: 31,014 images with five captions each (29,000 / 1,014 / 1,000 images).",
    splits=ALL_SPLITS,
    ways=((Download(("dataset_flickr30k.json",), _KARPATHY_SITE),),),
    media="the images, by name (flickr30k-images), in a folder or zip; from the Flickr30K authors, on request",
    notes="A sample is a caption; its id is IMAGE#n, its media_id the image's file name.",
)

MSCOCO = DataSet(
    name="mscoco",
    title="MSCOCO, Karpathy's splits: 123,287 images (113,287 / 5,000 / 5,000).",
    splits=ALL_SPLITS,
    ways=(
        (Download(("dataset_coco.json",), _KARPATHY_SITE),),
        _coco_way(2014, train=("train",), val=ALL_SPLITS),  # Karpathy's train has val2014's rest, 'restval', too
        _coco_way(2017, train=ALL_SPLITS, val=ALL_SPLITS),  # 2017 moved images of val2014 to train2017
    ),
    media="the images (train2014 and val2014, or train2017 and val2017), by name, in a folder or zip; from its site",
    notes=(
        "Karpathy's 'restval' images belong to train. Published scores use five captions an image, so a sixth or later "
        "caption of a val or test image gets split 'extra': it is in the file, but not in its split. With the official "
        "captions the split lists decide and give the order of images; the folds of MSCOCO-1K are then not the JSON's."
    ),
)

CC3M = DataSet(
    name="cc3m",
    title="Conceptual Captions (CC3M): 3,318,333 training and 15,840 validation captions, one per image.",
    splits=("train", "val"),
    ways=(
        (
            Download(
                ("00000.parquet",),
                "img2dataset, run on Google's TSV with --output_format webdataset --caption_col caption (shards "
                "below a folder whose name starts with 'val' are validation)",
                ("train", "val"),
                pattern=r"\d{5,}\.parquet",
            ),
        ),
        (
            Download(("Train_GCC-training.tsv",), "Google's Conceptual Captions page, Training split", ("train",)),
            Download(
                ("Validation_GCC-1.1.0-Validation.tsv",),
                "Google's Conceptual Captions page, Validation split",
                ("val",),
            ),
        ),
    ),
    media="the tars next to img2dataset's Parquet files (the TSV names no files)",
    notes=(
        "Where img2dataset's shards are below the root they are read, with the rows whose image it could download; "
        "else the TSV. A sample's id is also its media_id."
    ),
)

EK100 = DataSet(
    name="ek100",
    title="EPIC-KITCHENS-100 multi-instance retrieval: 67,217 training and 9,668 test clips.",
    splits=("train", "test"),
    ways=(
        (
            Download(
                ("EPIC_100_train.csv", "EPIC_100_retrieval_train.csv"),
                _EK100,
                ("train",),
                partial=("EPIC_100_uda_source_train.csv",),
            ),
            Download(("EPIC_100_retrieval_train_sentence.csv",), _EK100_RETRIEVAL, ("train",)),
            Download(("EPIC_100_retrieval_test.csv", "EPIC_100_validation.csv"), _EK100_RETRIEVAL, ("test",)),
            Download(("EPIC_100_retrieval_test_sentence.csv",), _EK100_RETRIEVAL, ("test",)),
        ),
    ),
    media="the videos, such as P01_01.MP4, in folders; from the EPIC-KITCHENS download scripts",
    notes=(
        "A sample is a narrated clip: its id is the narration_id, also its media_id. The test split is the official "
        "validation set. With --allow-partial, and no EPIC_100_train.csv, EPIC_100_uda_source_train.csv serves as "
        "a part of the training clips; cluster sizes are then those of the part."
    ),
)

YOUCOOK2 = DataSet(
    name="youcook2",
    title="YouCook2: 10,337 training and 3,492 validation segments, and the 3,350 clips of the retrieval test set.",
    splits=ALL_SPLITS,
    ways=(
        (
            Download(
                ("youcookii_annotations_trainval.json",), "the YouCook2 site, Download, Annotations", ("train", "val")
            ),
            Download(
                ("validation_youcook.csv",), "the HowTo100M authors' evaluation data (start,end,task,text)", ("test",)
            ),
        ),
    ),
    media="the videos, named by their video_id (xHr8X2Wpmno.mkv), in folders; from the YouCook2 site's list",
    notes=(
        "Segments are VIDEO_k (train, val); clips of the CSV are VIDEO_START_END (test). Test clips are cut from the "
        "validation videos, so val and test overlap: choose models on one and report the other with that in mind. "
        "Test sets of 3,305 to 3,369 clips are in circulation: the output says how many this one has."
    ),
)

MSRVTT = DataSet(
    name="msrvtt",
    title="MSR-VTT, the 1k-A split: 9,000 training videos with 20 captions each, 1,000 test pairs.",
    splits=("train", "test"),
    ways=(
        (
            Download(("MSRVTT_data.json",), _CLIP4CLIP, ("train",)),
            Download(("MSRVTT_train.9k.csv",), _CLIP4CLIP, ("train",)),
            Download(("MSRVTT_JSFUSION_test.csv",), _CLIP4CLIP, ("test",)),
        ),
    ),
    media="the videos, named by their video_id (video9770.mp4), in folders",
    notes="Training captions are VIDEO#n; test pairs keep the key of the CSV (ret0). The media_id is the video's.",
)

DATA_SETS = {entry.name: entry for entry in (FLICKR30K, MSCOCO, CC3M, EK100, YOUCOOK2, MSRVTT)}
