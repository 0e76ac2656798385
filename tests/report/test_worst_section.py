"""The section of worst queries without a browser."""

import pytest

from pipelines.report.sections.worst import worst_section
from pipelines.views.worst import Found, WorstQuery


@pytest.mark.parametrize(("third", "chooses"), [("tail", True), ("head", False), (None, False)])
def test_the_tail_is_offered_where_some_are_of_it(third, chooses) -> None:
    """Without one of the tail, a choice that begins with the tail would show nothing."""
    found = (Found("b", "b", ("other",), 0.9),)
    query = WorstQuery("text_to_media", "a", "a", ("text",), 2, 0.5, found, 3.0, third, None)
    assert worst_section([query], None, {}).content["has_tail"] is chooses
