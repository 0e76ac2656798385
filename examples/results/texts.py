"""The embeddings of those texts that a subset keeps.

python texts.py texts.parquet annotations.parquet kept.parquet
"""

import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq


def main(texts: str, annotations: str, output: str) -> None:
    table = pq.read_table(texts).replace_schema_metadata()  # the footer tells of the whole
    kept = pq.read_table(annotations, columns=["sample_id"])["sample_id"]
    pq.write_table(table.filter(pc.is_in(table["sample_id"], kept)), output, compression="zstd")


if __name__ == "__main__":
    main(*sys.argv[1:])
