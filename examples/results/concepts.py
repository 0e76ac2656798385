"""A class for each image of Flickr8K, which has none: the cluster of its first caption.

python concepts.py annotations.parquet clusters.parquet captions.csv
"""

import sys

import pandas as pd


def main(annotations: str, clusters: str, output: str) -> None:
    table = pd.read_parquet(annotations)[["sample_id", "media_id", "text", "split"]]
    table = table.merge(pd.read_parquet(clusters)[["sample_id", "cluster"]], on="sample_id")
    table["concept"] = "concept " + table.groupby("media_id")["cluster"].transform("first").astype(str)
    table[["media_id", "text", "split", "concept"]].to_csv(output, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
