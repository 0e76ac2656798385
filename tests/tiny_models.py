"""Small models with random weights, as folders that their libraries load."""

import string
from pathlib import Path
from typing import Any

import torch

IMAGE_SIZE = 16
_SIZES = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_CHARACTERS = [*string.ascii_lowercase, *string.digits, ".", "#", "_"]


def _word_tokenizer() -> Any:
    """A tokenizer of characters, in words, as BERT's."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*special, *_CHARACTERS, *(f"##{each}" for each in _CHARACTERS)]
    tokenizer = Tokenizer(models.WordPiece({piece: row for row, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **names)


def write_sentence_model(folder: Path, *, pooling: Any = "mean", dense: bool = False, normalize: bool = True) -> Path:
    """Write a sentence-transformers model of 8 dimensions: a BERT, pooling and what is asked for."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(5)
    tokenizer = _word_tokenizer()
    BertModel(BertConfig(**_SIZES, vocab_size=len(tokenizer), max_position_embeddings=32)).save_pretrained(
        folder / "bert"
    )
    tokenizer.save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert"), max_seq_length=20)]
    modules.append(Pooling(8, pooling))
    if dense:
        modules.append(Dense(modules[-1].get_embedding_dimension(), 6))
    if normalize:
        modules.append(Normalize())
    SentenceTransformer(modules=modules).save(str(folder / "sentence"), create_model_card=False)
    return folder / "sentence"


def write_clip(folder: Path, family: str = "clip") -> Path:
    """Write a CLIP (projections to 6 dimensions) or SigLIP model (8), with tokenizer and processor."""
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    torch.manual_seed(6)
    tokenizer = _word_tokenizer()
    vision = {**_SIZES, "image_size": IMAGE_SIZE, "patch_size": 8}
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    text = {**_SIZES, "vocab_size": len(tokenizer), "max_position_embeddings": 32, **ids}
    if family == "clip":
        model: Any = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=6))
    else:
        model = SiglipModel(SiglipConfig(text_config={**text, "projection_size": 8}, vision_config=vision))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
