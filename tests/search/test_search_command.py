"""``mmts search`` as a person and a script see it."""

import json

import pytest


def test_the_nearest_are_shown_with_their_texts(world, embedded_run, mmts) -> None:
    query = world.samples("test")[0]
    ran = mmts("search", embedded_run, "a dog", "--like", query, "--top", 3, "--clusters", world.clusters, "--json")
    result = json.loads(ran.out)
    assert [each["query"] for each in result["queries"]] == [
        {"kind": "text", "value": "a dog", "text": None, "media_id": None},
        {"kind": "sample", "value": query, "text": f"caption {query}", "media_id": world.media_of(query)},
    ]
    assert [len(each["hits"]) for each in result["queries"]] == [3, 3]
    best = result["queries"][1]["hits"][0]
    shown = mmts("search", embedded_run, "a dog", "--like", query, "--top", 3, "--clusters", world.clusters).out
    assert shown.startswith("24 media of split test; --split all searches all 92 (")
    assert shown.splitlines()[1] == f"third: by training cluster size ({result['cluster_sizes']})"
    assert "media-test.parquet: up to date)" in shown
    assert '\n"a dog"\n' in shown
    assert f'\nsample {query}: "caption {query}"\n' in shown
    block = shown[shown.index(f"sample {query}") :].splitlines()
    assert block[1].split() == ["rank", "similarity", "third", "media"]
    assert block[2].split() == ["1", f"{best['similarity']:.3f}", best["third"], best["media_id"]]
    assert block[3].strip() == f"{best['texts'][0]} (and 1 more)"


def test_texts_are_shown_with_their_samples(world, embedded_run, mmts) -> None:
    shown = mmts("search", embedded_run, "a dog", "--among", "text", "--split", "all", "--top", 1).out
    assert shown.startswith("184 distinct texts (")
    assert shown.splitlines()[3].split() == ["rank", "similarity", "text"]
    assert "caption m" in shown


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), 'nothing to search for; give a text, as in `mmts search run "a dog"`, --image or --like'),
        (("a dog", "--split", "tset"), "no rows of split 'tset'; splits there: test, train, val"),
        (("a dog", " "), "text ' ': is empty; give words"),
        (("--like", "m" * 300), "has no such sample_id or media_id; it has"),
        (("--image", "no.png"), "no.png: no such file"),
        (("a dog", "--workers", 2), "--workers: is for images and clips, which are decoded; leave it out"),
        (("a dog", "--media", "annotations"), "was trained on features; give their file"),
    ],
)
def test_mistakes_are_named(embedded_run, refused, flags, message) -> None:
    said = refused("search", embedded_run, *flags)
    assert message in said
    assert "m" * 50 not in said


def test_a_folder_without_a_run_is_refused(world, refused) -> None:
    assert "is not the folder of a complete run" in refused("search", world.folder, "a dog")
