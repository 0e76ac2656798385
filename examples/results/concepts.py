"""A class for each image of Flickr8K, which has none: the cluster of its first caption.

python concepts.py captions.csv clusters.parquet captions-with-concepts.csv
"""

import sys

import pandas as pd


def main(captions: str, clusters: str, output: str) -> None:
    table = pd.read_csv(captions)
    cluster = pd.read_parquet(clusters).set_index("sample_id")["cluster"]
    first = table["image"] + "#0"
    table["concept"] = "concept " + first.map(cluster).astype(str)
    table.to_csv(output, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
