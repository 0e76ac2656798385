"""Searches that can't be made."""

from bad_inputs.case import BadInput
from bad_inputs.commands import text

_SEARCH = "search {good}/run"

CASES = [
    BadInput("search-for-nothing", _SEARCH, ("nothing to search for", "--image")),
    BadInput("search-no-run", "search", ("run",)),
    BadInput("search-not-a-run", "search {good} dog", ("not the folder of a complete run", "mmts train")),
    BadInput("search-run-is-a-file", "search {good}/media.parquet dog", ("media.parquet", "mmts train")),
    BadInput("search-top-0", f"{_SEARCH} dog --top 0", ("--top",)),
    BadInput("search-among-images", f"{_SEARCH} dog --among images", ("--among", "media")),
    BadInput("search-unknown-split", f"{_SEARCH} dog --split tset", ("tset", "splits there")),
    BadInput("search-like-nobody", f"{_SEARCH} --like nobody", ("nobody", "no such sample_id or media_id")),
    BadInput("search-like-long", f"{_SEARCH} --like {'x' * 500}", ("no such sample_id or media_id",)),
    BadInput("search-empty-text", f"{_SEARCH} ' '", ("is empty", "give words")),
    BadInput("search-unknown-model", f"{_SEARCH} dog", ("was not made by `mmts embed`", "mmts embed")),
    BadInput("search-text-file", f"{_SEARCH} dog -o found.txt", ("found.txt", ".html")),
    BadInput(
        "search-page-of-others",
        f"{_SEARCH} dog -o mine.html",
        ("mine.html", "--force"),
        text("mine.html", "<p>years of work</p>"),
    ),
    BadInput("search-pictures-alone", f"{_SEARCH} dog --pictures {{good}}", ("--pictures", "give -o")),
    BadInput("search-no-annotations", f"{_SEARCH} dog --annotations no.parquet", ("no.parquet", "no such file")),
    BadInput("search-no-frequency", f"{_SEARCH} dog --frequency no.parquet", ("no.parquet", "no such file")),
]
