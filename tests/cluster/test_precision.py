"""Products of float32 numbers, whatever torch was told before, and torch as it was found afterwards."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pipelines.cluster.precision import float32_products
from pipelines.errors import InputError


def settings() -> tuple[str, ...]:
    try:
        general = torch.get_float32_matmul_precision()
    except RuntimeError:
        general = "disputed"  # as torch calls it where the backend was told something else
    return general, torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision


@pytest.fixture(autouse=True)
def as_torch_was():
    general, gpu, cores = before = settings()
    yield
    torch.set_float32_matmul_precision(general)
    torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision = gpu, cores
    assert settings() == before


def ask_for_nothing() -> None:
    pass


def ask_in_general() -> None:
    torch.set_float32_matmul_precision("medium")


def ask_of_the_gpu() -> None:
    torch.backends.cuda.matmul.fp32_precision = "tf32"


@pytest.mark.parametrize("ask", [ask_for_nothing, ask_in_general, ask_of_the_gpu])
@pytest.mark.parametrize("fails", [False, True])
def test_they_are_exact_within_and_torch_as_it_was_after(ask, fails) -> None:
    ask()
    before, filters = settings(), list(warnings.filters)
    with pytest.raises(KeyError) if fails else float32_products("cuda"), float32_products("cuda"):
        assert settings() == ("highest", "ieee", "ieee")
        with float32_products("cuda"):
            pass
        assert settings() == ("highest", "ieee", "ieee")
        if fails:
            raise KeyError
    assert settings() == before
    assert list(warnings.filters) == filters


def test_threads_share_them() -> None:
    """The first to enter is the first to leave."""
    before = settings()
    with ThreadPoolExecutor(2) as pool:
        first, second = float32_products("cuda"), float32_products("cuda")
        for step in (first.__enter__, second.__enter__, lambda: first.__exit__(None, None, None)):
            pool.submit(step).result()
            assert settings() == ("highest", "ieee", "ieee")
        pool.submit(second.__exit__, None, None, None).result()
    assert settings() == before


def test_filters_of_warnings_that_are_set_meanwhile_stay() -> None:
    with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
        products = float32_products("cuda")
        pool.submit(products.__enter__).result()
        warnings.filterwarnings("error", "mine")
        pool.submit(products.__exit__, None, None, None).result()
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)


def test_who_turns_tf32_on_meanwhile_is_told(monkeypatch) -> None:
    before = settings()
    expected = r"^--device cuda:1: something else in this process turned TF32 on meanwhile; leave it out$"
    with pytest.raises(InputError, match=expected), float32_products("cuda:1"):
        ask_of_the_gpu()
    assert settings() == before
