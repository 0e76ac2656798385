"""The section of worst queries without a browser."""

import pytest

from pipelines.report.sections.worst import worst_section
from pipelines.views.worst import Found, WorstQuery


@pytest.mark.parametrize(("third", "chooses"), [("tail", True), ("head", False), (None, False)])
def test_the_tail_is_offered_where_some_are_of_it(third, chooses) -> None:
    """Without one of the tail, a choice that begins with the tail would show nothing."""
    found = (Found("b", "b", ("other",), 0.9),)
    right = Found("a", "a", ("text",), 0.5)
    query = WorstQuery("text_to_media", "a", "a", ("text",), 2, right, found, 3.0, third, None)
    assert bool(worst_section([query], None, {}).content["tail"]) is chooses


def test_the_text_that_is_shown_is_the_one_whose_similarity_is_given() -> None:
    """Of a medium with several texts, one of which may be another medium's by mistake."""
    found = (Found("other#0", "other", ("other",), 0.9),)
    right = Found("a#1", "a", ("second",), 0.5)
    query = WorstQuery("media_to_text", "a", "a", ("first", "second", "first"), 2, right, found, 3.0, "tail", None)
    shown = worst_section([query], None, {}).content["groups"][0].queries[0]
    assert (shown.right.text, shown.right.others) == ("second", ["first"])
    assert shown.right.tag == "its own: rank 2, similarity 0.50"
    assert shown.about == "margin 0.40; tail, 3 training samples like its texts, on average"


def test_the_other_texts_of_its_own_medium_are_shown_of_a_text() -> None:
    found = (Found("b", "b", ("other",), 0.9),)
    right = Found("a", "a", ("first", "second", "third"), 0.5)
    query = WorstQuery("text_to_media", "a#1", "a", ("second",), 2, right, found, 3.0, "tail", None)
    shown = worst_section([query], None, {"a": 7}).content["groups"][0].queries[0]
    assert (shown.right.text, shown.right.others, shown.right.picture) == ("", ["first", "third"], 7)
