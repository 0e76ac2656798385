from pipelines.contrast import LOSSES, STRATEGIES

OPTIONS = {"tau", "alpha", "oscillations", "tau_min", "tau_max", "rho", "shifts"}


def test_each_strategy_names_options_and_losses_there_are() -> None:
    for name, kind in STRATEGIES.items():
        assert kind.name == name
        assert kind.options
        assert kind.options <= OPTIONS
        assert kind.losses
        assert set(kind.losses) <= set(LOSSES)
        assert bool(kind.limits) == (set(kind.losses) != set(LOSSES)), name


def test_levels_are_the_published_ones() -> None:
    assert (LOSSES["infonce"].quantity, LOSSES["infonce"].default_level) == ("temperature", 0.07)
    assert (LOSSES["max-margin"].quantity, LOSSES["max-margin"].default_level) == ("margin", 0.2)
    assert (LOSSES["sigmoid"].quantity, LOSSES["sigmoid"].default_level) == ("temperature", 0.1)
