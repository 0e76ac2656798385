"""A stage that is killed or interrupted at a random moment, in short; ``make kill`` is the long form."""

import pytest
from bad_inputs.good import make_good

from attacks.kill import COMMANDS, Target, interrupt, kill

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def good(tmp_path_factory, write_artifact):
    folder = tmp_path_factory.mktemp("kills") / "good"
    make_good(folder, write_artifact)
    return folder


@pytest.mark.parametrize("name", list(COMMANDS))
def test_after_a_kill_the_same_command_gives_the_same_files(name, good, tmp_path) -> None:
    for seed in range(10):
        found = kill(Target(name, good, tmp_path), 2, seed=seed, phases=("work", "writing"))
        assert (found["whole"], found["same"]) == (2, 2)
        if found["running"]:
            return
    pytest.fail("twenty kills came after the end")  # which some do, as a stage may take less time than its timing did


@pytest.mark.parametrize("name", list(COMMANDS))
def test_an_interrupted_command_ends_with_130_and_leaves_no_rests(name, good, tmp_path) -> None:
    found = interrupt(Target(name, good, tmp_path), 2, seed=1, phases=("work", "writing"))
    assert (found["well"], found["rests"]) == (2, 0), found
