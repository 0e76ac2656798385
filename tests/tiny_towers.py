"""Tiny models of every kind of tower, saved as their own libraries do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = ["a", "dog", "man", "rock", "climbs", "runs", "in", "the", "sea", "two", "cats", "door", "open"]
SIZE = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
IMAGE = {"image_size": 16, "patch_size": 8}


def write_tokenizer(folder: Path, special: tuple[str, str, str, str], max_length: int) -> None:
    """Write a tokenizer of whole words: [pad, unknown, first, last] are the first ids."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pad, unknown, first, last = special
    vocabulary = {word: row for row, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(f"{first} $A {last}", None, [(first, 2), (last, 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        unk_token=unknown,
        cls_token=first,
        sep_token=last,
        model_max_length=max_length,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)


def make_bert(folder: Path) -> Path:
    """A sentence-transformers model: BERT, mean pooling, normalisation."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(5)
    BertModel(BertConfig(**SIZE, vocab_size=20, max_position_embeddings=12)).save_pretrained(folder / "bert")
    write_tokenizer(folder / "bert", ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), 12)
    transformer = Transformer(str(folder / "bert"), max_seq_length=6)
    model = SentenceTransformer(modules=[transformer, Pooling(8, "mean"), Normalize()], device="cpu")
    model.save(str(folder / "sentence"), create_model_card=False)
    return folder / "sentence"


def make_clip(folder: Path) -> Path:
    """A CLIP with a projection to 6 dimensions, its tokenizer and normalisation."""
    import json

    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(5)
    special = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = CLIPConfig(
        vision_config={**SIZE, **IMAGE},
        text_config={**SIZE, "vocab_size": 20, "max_position_embeddings": 7, **special},
        projection_dim=6,
    )
    model = CLIPModel(config)
    for parameter in model.parameters():  # its own initialisation leaves biases at zero
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    write_tokenizer(folder, ("<pad>", "<unk>", "<start>", "<end>"), 7)
    statistics = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.25, 0.2]}
    (folder / "preprocessor_config.json").write_text(json.dumps(statistics))
    return folder


def make_siglip(folder: Path) -> Path:
    """A SigLIP, whose sides have 8 dimensions, and its tokenizer."""
    from transformers import SiglipConfig, SiglipModel

    torch.manual_seed(5)
    special = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    text = {**SIZE, "vocab_size": 20, "max_position_embeddings": 7, "projection_size": 8, **special}
    SiglipModel(SiglipConfig(vision_config={**SIZE, **IMAGE}, text_config=text)).save_pretrained(folder)
    write_tokenizer(folder, ("<pad>", "<unk>", "<start>", "<end>"), 7)
    return folder


def make_vision(folder: Path, name: str) -> Path:
    """A vision model with weights."""
    from tiny_world import write_tower_config
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(7)
    model: Any = AutoModel.from_config(AutoConfig.from_pretrained(write_tower_config(folder, name)))
    model.save_pretrained(folder)
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {"bert": make_bert, "clip": make_clip, "siglip": make_siglip}


def make(folder: Path, name: str) -> Path:
    """Write a tiny model: ``bert``, ``clip``, ``siglip``, ``vit`` or ``resnet``; gives the folder that loads."""
    with torch.random.fork_rng():  # whether it is made now or was before, a test's seed gives the same
        return MAKERS[name](folder) if name in MAKERS else make_vision(folder, name)
