import json
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipelines.contrast import ISogCLR, make_strategy
from pipelines.errors import InputError

from ..oracles import scores
from .cases import SAMPLE_IDS, build, inputs

FIRST = torch.tensor(0.05).item()  # states begin in float32


def loop(state: dict[str, dict[int, float]], s: list[list[float]], sample: list[int]) -> float:
    """Move one side's state by a step, by the formulas of the paper with u itself; return the loss."""
    n, rho, eta, gamma, beta = len(s), 8.0, 0.01, 0.8, 0.9
    total = 0.0
    for i, key in enumerate(sample):
        tau = state["tau"].get(key, FIRST)
        d = [s[i][j] - s[i][i] for j in range(n) if j != i]
        g = sum(math.exp(x / tau) for x in d) / (n - 1)
        u = (1 - gamma) * state["u"][key] + gamma * g if key in state["u"] else g
        weights = [math.exp(x / tau) / u / (n - 1) for x in d]
        gradient = math.log(u) + rho - sum(w * x for w, x in zip(weights, d, strict=True)) / tau
        momentum = (1 - beta) * state["momentum"].get(key, 0.0) + beta * max(-5.0, min(5.0, gradient))
        state["u"][key], state["momentum"][key] = u, momentum
        state["tau"][key] = max(0.005, min(0.05, tau - eta * momentum))
        total += tau * (math.log(u) + rho) / n
    return total


def test_three_steps_equal_the_explicit_loop() -> None:
    given = inputs()
    strategy = build("isogclr", "infonce")
    sample = given["sample_n"].tolist()
    sides = {side: {"tau": {}, "u": {}, "momentum": {}} for side in ("media", "text")}
    for step in range(3):
        media_nd, text_nd = given["media_nd"] + step, given["text_nd"].roll(step, 0) + given["media_nd"]
        found = strategy(media_nd, text_nd, step=step, sample_n=given["sample_n"]).loss.item()
        s = scores(media_nd, text_nd)
        expected = (loop(sides["media"], s, sample) + loop(sides["text"], list(zip(*s, strict=True)), sample)) / 2
        assert found == pytest.approx(expected, rel=1e-9)
    for side, state in sides.items():
        for name, key in (("temperature", "tau"), ("momentum", "momentum")):
            stored = getattr(strategy, f"{side}_{name}")
            assert [stored[i].item() for i in sample] == pytest.approx([state[key][i] for i in sample], rel=1e-6)
        u = getattr(strategy, f"{side}_log_average").exp()
        assert [u[i].item() for i in sample] == pytest.approx([state["u"][i] for i in sample], rel=1e-9)
    untouched = sorted(set(range(20)) - set(sample))
    assert strategy.media_temperature[untouched].tolist() == pytest.approx([0.05] * 8)


def test_gradient_is_that_of_the_weighted_differences() -> None:
    given = inputs()
    strategy = build("isogclr", "infonce")
    n = len(given["media_nd"])
    strategy(given["media_nd"].roll(1, 0), given["text_nd"], step=0, sample_n=given["sample_n"])
    media_nd, text_nd = given["media_nd"].requires_grad_(), given["text_nd"].requires_grad_()
    taus = [getattr(strategy, f"{side}_temperature")[given["sample_n"]].clone() for side in ("media", "text")]
    strategy(media_nd, text_nd, step=1, sample_n=given["sample_n"]).loss.backward()
    averages = [getattr(strategy, f"{side}_log_average")[given["sample_n"]].exp() for side in ("media", "text")]
    s_nn = normalize(media_nd, dim=1) @ normalize(text_nd, dim=1).T
    total = torch.zeros((), dtype=torch.float64)
    for side_nn, tau, u in zip((s_nn, s_nn.T), taus, averages, strict=True):
        d_nn = side_nn - side_nn.diagonal()[:, None]
        w_nn = (d_nn / tau[:, None]).exp().detach() / u[:, None] / (n - 1)
        total = total + (w_nn * d_nn * (1 - torch.eye(n))).sum() / (2 * n)
    expected = torch.autograd.grad(total, (media_nd, text_nd))
    for found, wanted in zip((media_nd.grad, text_nd.grad), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-13)


def test_evaluation_changes_nothing() -> None:
    given = inputs()
    strategy = build("isogclr", "infonce").eval()
    before = [buffer.clone() for buffer in strategy.buffers()]
    strategy(given["media_nd"], given["text_nd"], step=0, sample_n=given["sample_n"])
    assert all(torch.equal(old, new) for old, new in zip(before, strategy.buffers(), strict=True))


def test_a_sample_twice_in_a_batch_moves_by_its_mean_whatever_the_order() -> None:
    given = inputs()
    sample_n = given["sample_n"].clone()
    sample_n[3] = sample_n[8]
    order = torch.randperm(len(sample_n), generator=torch.Generator().manual_seed(0))
    stored = []
    for rows in (torch.arange(len(sample_n)), order):
        strategy = build("isogclr", "infonce")
        strategy(given["media_nd"][rows], given["text_nd"][rows], step=0, sample_n=sample_n[rows])
        stored.append(torch.stack(list(strategy.buffers())))
    torch.testing.assert_close(stored[0], stored[1], rtol=1e-12, atol=1e-14)


def test_a_step_looks_its_samples_up_once(monkeypatch) -> None:
    """Each time makes the host wait for a GPU."""
    calls, unique = [], torch.unique
    monkeypatch.setattr(torch, "unique", lambda *args, **options: calls.append(1) or unique(*args, **options))
    trained()
    assert len(calls) == 1


def isogclr(sample_ids: list[str], **options: float) -> ISogCLR:
    return make_strategy("isogclr", sample_ids=sample_ids, **options).double()


def trained() -> ISogCLR:
    given = inputs()
    strategy = build("isogclr", "infonce")
    strategy(given["media_nd"], given["text_nd"], step=0, sample_n=given["sample_n"])
    return strategy


def by_id(strategy: ISogCLR, name: str) -> dict[str, float]:
    buffer: Tensor = getattr(strategy, name)
    return dict(zip(strategy.sample_ids, buffer.tolist(), strict=True))


def test_state_is_tensors_and_json_and_loads_by_id() -> None:
    strategy = trained()
    state = strategy.state_dict()
    extra = json.loads(json.dumps(state["_extra_state"]))
    state = {key: value for key, value in state.items() if isinstance(value, Tensor)} | {"_extra_state": extra}
    other = isogclr(SAMPLE_IDS[::-1])
    other.load_state_dict(state)
    for name, _ in strategy.named_buffers():
        assert by_id(other, name) == by_id(strategy, name)
    nested = torch.nn.ModuleDict({"strategy": isogclr(SAMPLE_IDS[::-1])})
    nested.load_state_dict({f"strategy.{key}": value for key, value in state.items()})
    assert by_id(nested["strategy"], "media_momentum") == by_id(strategy, "media_momentum")


def test_samples_the_checkpoint_lacks_start_fresh_with_a_warning() -> None:
    strategy = trained()
    other = isogclr([*SAMPLE_IDS[5:10], "new"], tau=0.02)
    with pytest.warns(UserWarning, match="1 of 6 samples are not in the checkpoint"):
        other.load_state_dict(strategy.state_dict())
    assert by_id(other, "text_temperature")["new"] == pytest.approx(0.02)
    assert by_id(other, "text_temperature")["sample-7"] == by_id(strategy, "text_temperature")["sample-7"]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="repeat"):
        isogclr(["a", "a"])
    with pytest.raises(InputError, match="tau_min <= tau <= tau_max"):
        isogclr(["a"], tau=0.1)
    given = inputs()
    with pytest.raises(InputError, match="needs sample_n"):
        build("isogclr", "infonce")(given["media_nd"], given["text_nd"], step=0)
