"""Entry point of ``search``: the media or texts of a run that are nearest to something."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pipelines.artifacts.splits import canonical_split
from pipelines.encoding import AS_IT_COMES, Encoding
from pipelines.errors import InputError
from pipelines.progress import SILENT, Progress
from pipelines.remote import as_path, located
from pipelines.runs.sources import find_sources
from pipelines.search.collection import Among, read_collection
from pipelines.search.encoded import encoded
from pipelines.search.hits import Known
from pipelines.search.nearest import nearest
from pipelines.search.page import require_page, write_page
from pipelines.search.pictures import pictures_of_files, pictures_of_media
from pipelines.search.queries import Query, encode_queries, find_like
from pipelines.search.result import Found, SearchResult


def search(
    run: Path | str,
    texts: Sequence[str] = (),
    *,
    images: Sequence[Path | str] = (),
    like: Sequence[str] = (),
    among: Among = "media",
    split: str = "test",
    top: int = 10,
    annotations: Path | str | None = None,
    media: Path | str | None = None,
    text: Path | str | None = None,
    frequency: Path | str | None = None,
    page: Path | str | None = None,
    pictures: Path | str | None = None,
    encoding: Encoding = AS_IT_COMES,
    force: bool = False,
    progress: Progress = SILENT,
) -> SearchResult:
    """Find the media or texts of a run that are nearest to texts, images or samples, by the cosine of its vectors.

    The run encodes what is searched once, and keeps the vectors in its folder, in ``search/``.

    Args:
        run: Run folder.
        texts: New texts.
        images: Files of new images, or of new clips for a run on clips.
        like: Ids of samples, which stand for their texts, or of media; they don't find themselves.
        among: What is searched: ``media``, or ``text``, each distinct text once.
        split: Split that is searched; ``all`` for all samples.
        top: How many to find.
        annotations: Annotations file; the run's own by default.
        media: Features, images or clips, as for `evaluate`; the run's own by default.
        text: Embeddings file; the run's own by default.
        frequency: What head, middle and tail follow from, as for `evaluate`; the run's own by default.
        page: Web page to write as well, with thumbnails.
        pictures: Folder or archive of images or clips, for the thumbnails; by default the run's media, or where the
            annotations say.
        encoding: How the run encodes. Damaged media, where ``encoding.max_bad`` lets some be, are left out.
        force: Encode again what is searched, and write the page over any file.
        progress: Where to report.

    Raises:
        InputError: A query can't be encoded (see `RunEncoder`), or a file or option can't be used.
    """
    run = located(run)
    if among not in get_args(Among):
        raise InputError(f"--among {among}: expected media or text")
    if top < 1:
        raise InputError(f"--top {top}: expected at least 1")
    if not texts and not images and not like:
        raise InputError('nothing to search for; give a text, as in `mmts search run "a dog"`, --image or --like')
    if pictures is not None and page is None:
        raise InputError("--pictures: is for the thumbnails of a page; give -o, or leave it out")
    if page is not None:
        require_page(located(page), force=force)
    sources = find_sources(run, media, text, annotations, frequency)
    split = canonical_split(split)
    collection = read_collection(sources.annotations, split, among)
    queries = [
        *(Query("text", each) for each in texts),
        *(Query("image", str(each)) for each in images),
        *(find_like(each, collection.annotations, sources.annotations) for each in like),
    ]
    known = Known(collection, sources)

    from pipelines.runs.encoder import RunEncoder  # brings torch and transformers

    with progress.task("loading the model", 1, "model") as task:
        encoder = RunEncoder(run, encoding, progress)
        task.advance(1)
    query_qd = encode_queries(encoder, queries, collection.annotations, sources)
    with encoded(collection, split, sources, encoder, force=force) as vectors:
        ids, similarity_qk = nearest(vectors.output, query_qd, top + 1)  # one more, since a query may find itself
    found = []
    for query, near, similarity_k in zip(queries, ids, similarity_qk, strict=True):
        own = query.own_item(collection)
        others = [place for place, each in enumerate(near) if each != own][:top]
        found.append(Found(query, known.hits([near[place] for place in others], similarity_k[others])))
    summary: dict[str, Any] = vectors.summary
    kept = vectors.output if vectors.output.is_relative_to(run) else None
    result = SearchResult(
        run,
        among,
        split,
        candidates=summary["rows"],
        in_all=collection.in_all,
        vectors=kept,
        up_to_date=vectors.up_to_date,
        cluster_sizes=known.said,
        bad_media=summary.get("bad_media", {}),
        queries=found,
        page=None if page is None else as_path(page),
    )
    if page is not None:
        place = None if pictures is None else located(pictures)
        asked = pictures_of_files([query.value for query in queries if query.kind == "image"])
        write_page(result, as_path(page), pictures_of_media(result, collection, sources, place), asked)
    return result
