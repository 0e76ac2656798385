"""Text towers: the vectors of their own libraries, tokens for worker processes, and back into those libraries."""

import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from transformers import AutoTokenizer, CLIPModel, CLIPTextModelWithProjection, SiglipModel, SiglipTextModel

from pipelines.errors import InputError
from pipelines.model_files import DEFAULT_MODEL, resolve_model
from pipelines.models.text import ClipTextTower, SentenceTower, load_text_tower

TEXTS = ["a dog runs", "two cats in the sea", "a man climbs the rock in the open sea", "door"]


@pytest.fixture
def load(tiny):
    """A tower of a tiny model, in evaluation mode."""
    return lambda name: load_text_tower(str(tiny(name))).eval()


def test_a_sentence_tower_gives_the_librarys_vectors(load, tiny) -> None:
    tower = load("bert")
    expected = SentenceTransformer(str(tiny("bert")), device="cpu").encode(TEXTS, convert_to_tensor=True)
    assert isinstance(tower, SentenceTower)
    assert tower.dimension == 8
    assert torch.allclose(tower(tower.tokenize(TEXTS)), expected, atol=1e-6)


def test_minilm_gives_the_librarys_vectors() -> None:
    tower = load_text_tower("all-MiniLM-L6-v2").eval()
    model = SentenceTransformer(resolve_model(DEFAULT_MODEL), device="cpu")
    texts = [*TEXTS, "word " * 400]
    assert tower.dimension == 384
    assert torch.allclose(tower(tower.tokenize(texts)), model.encode(texts, convert_to_tensor=True), atol=1e-6)
    assert tower.tokenizer.count_truncated(texts) == 1


def test_a_clip_text_tower_gives_the_projected_vectors(load, tiny) -> None:
    tower, model = load("clip"), CLIPModel.from_pretrained(tiny("clip")).eval()
    tokens = AutoTokenizer.from_pretrained(tiny("clip"))(TEXTS, padding=True, truncation=True, return_tensors="pt")
    assert isinstance(tower, ClipTextTower)
    assert tower.dimension == 6
    assert torch.equal(tower(tower.tokenize(TEXTS)), model.get_text_features(**tokens).pooler_output)


def test_a_siglip_text_is_padded_to_the_maximum_since_its_last_place_is_read(load, tiny) -> None:
    tower, model = load("siglip"), SiglipModel.from_pretrained(tiny("siglip")).eval()
    tokens = tower.tokenize(["door"])
    assert tokens["input_ids"].tolist() == [[2, 15, 3, 0, 0, 0, 0]]
    assert torch.allclose(tower(tokens), model.get_text_features(**tokens).pooler_output, atol=1e-6)


def test_tokens_by_hand(load) -> None:
    tokens = load("bert").tokenize(["door", "a man climbs the rock"])
    assert tokens["input_ids"].tolist() == [[2, 15, 3, 0, 0, 0], [2, 4, 6, 8, 11, 3]]
    assert tokens["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]


def test_texts_that_are_cut_are_counted(load) -> None:
    tokenizer = load("bert").tokenizer
    assert tokenizer.max_length == 6
    assert tokenizer.count_truncated(["a a a a", "a a a a a", "", "a man climbs the rock in the sea"]) == 2
    assert tokenizer.count_truncated(["a"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "clip"])
def test_a_tokenizer_works_in_another_process_without_the_weights(load, name) -> None:
    tower = load(name)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = pool.submit(tower.tokenizer, TEXTS).result()
    expected = tower.tokenize(TEXTS)
    assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in expected.items()}
    assert not any(isinstance(value, torch.nn.Module) for value in vars(pickle.loads(pickle.dumps(tower.tokenizer))))


def test_tokens_are_left_as_they_were(load) -> None:
    tower = load("bert")
    tokens = tower.tokenize(TEXTS)
    names = set(tokens)
    first = tower(tokens)
    assert set(tokens) == names
    assert torch.equal(tower(tokens), first)


def test_a_models_own_prompt_is_put_before_each_text(tiny, tmp_path) -> None:
    model = SentenceTransformer(str(tiny("bert")), device="cpu", prompts={"p": "the sea "}, default_prompt_name="p")
    model.save(str(tmp_path), create_model_card=False)
    tower = load_text_tower(str(tmp_path)).eval()
    assert torch.allclose(tower(tower.tokenize(TEXTS)), model.encode(TEXTS, convert_to_tensor=True), atol=1e-6)
    assert tower.tokenizer.count_truncated(["a dog", "a dog runs"]) == 1


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("bert", lambda folder, tokens: SentenceTransformer(str(folder), device="cpu")(tokens)["sentence_embedding"]),
        ("clip", lambda folder, tokens: CLIPTextModelWithProjection.from_pretrained(folder)(**tokens).text_embeds),
        ("siglip", lambda folder, tokens: SiglipTextModel.from_pretrained(folder)(**tokens).pooler_output),
    ],
)
def test_what_is_saved_loads_with_its_library_alone(load, tmp_path, name, alone) -> None:
    tower = load(name)
    tower.save(tmp_path)
    tokens = tower.tokenize(TEXTS)
    expected = tower(tokens)
    assert torch.equal(alone(tmp_path, dict(tokens)), expected)
    again = load_text_tower(str(tmp_path)).eval()
    assert type(again) is type(tower)
    assert torch.equal(again(again.tokenize(TEXTS)), expected)


def refusal(source) -> str:
    with pytest.raises(InputError) as error:
        load_text_tower(str(source))
    message = str(error.value)
    assert message.startswith(f"--text-model {source}: ")
    assert "\n" not in message
    return message


def test_what_is_no_text_model_is_refused(tiny, tmp_path) -> None:
    assert "no such folder" in refusal(tmp_path / "missing")
    refusal(tmp_path)
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny("clip") / name).read_bytes())
    assert "okenizer" in refusal(tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]))
    assert "needs code of its own, evil.Module, which is not run; --trust-remote-code runs it" in refusal(tmp_path)
    refusal(tiny("vit"))


def test_a_model_that_is_no_transformer_is_refused(tiny, tmp_path) -> None:
    words = Tokenizer.from_file(str(tiny("bert") / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=4)], device="cpu").save(str(tmp_path))
    assert "begins with StaticEmbedding, not with a transformer of texts" in refusal(tmp_path)
