"""Training steps of AVION's ViT-B on clips of 16 frames: exactness, clips a second and memory.

    python benchmarks/video_training.py             on a GPU
    python benchmarks/video_training.py --tiny      a small model, on any machine: a test of this script

1. Embeddings, and gradients of a step, in float32 and in bfloat16 autocast against float64: the norm of the difference
   over the norm, for gradients of all parameters together. torch has the convolution that makes patches in TF32 on a
   GPU unless told otherwise, also in `mmts train`; both are shown.
2. Clips a second, and on a GPU peak memory, of whole steps with AdamW: in float32 and autocast; with gradient
   checkpointing; compiled. A batch that doesn't fit is told as such. The first steps, which compile, don't count.

The loss is InfoNCE. The losses alone, up to 65,536 pairs, are timed by `benchmarks/contrast_losses.py`. The script
fails where a gradient differs by more than rounding.
"""

import argparse
import contextlib
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also without the package installed

from pipelines.contrast import LOSSES
from pipelines.modeling.modeling_space_time import SpaceTimeClipConfig, SpaceTimeClipModel
from pipelines.models.acceleration import checkpoint_layers

FRAMES, TOKENS, WORDS, WARM, STEPS = 16, 77, 49_408, 2, 5
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
TOLERANCE = {"float32": 1e-4, "float32, TF32 patches": 1e-2, "bfloat16": 0.2}
COARSE = 7  # squares on a side of what tells clips apart


def make_model(tiny: bool, device: torch.device) -> SpaceTimeClipModel:
    torch.manual_seed(0)
    vision = {"num_frames": FRAMES, "projection_dim": 256, **(TINY | {"image_size": 32} if tiny else {})}
    text = {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8, **(TINY if tiny else {})}
    text |= {"projection_dim": 256, "max_position_embeddings": TOKENS, "vocab_size": WORDS, "eos_token_id": 2}
    model = SpaceTimeClipModel(SpaceTimeClipConfig(vision_config=vision, text_config=text))
    model.logit_scale.requires_grad_(False)  # the loss has a temperature of its own
    return model.to(device).train()


def make_batch(model: SpaceTimeClipModel, clips: int) -> tuple[Tensor, Tensor]:
    """Clips, each of a random coarse picture and noise, and random texts, each closed by the token that ends it."""
    side, device = model.config.vision_config.image_size, model.logit_scale.device
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(clips, FRAMES, 3, side, side, generator=generator)
    coarse = torch.randn(clips, 3, COARSE, COARSE, generator=generator)
    pixels += torch.nn.functional.interpolate(coarse, size=(side, side))[:, None]
    words = torch.randint(3, WORDS, (clips, TOKENS), generator=generator)
    words[:, -1] = 2
    return pixels.to(device), words.to(device)


def backward(model: SpaceTimeClipModel, batch: tuple[Tensor, Tensor], low: torch.dtype | None) -> Tensor:
    """Embeddings of both sides; the loss's gradients are the parameters'. Under autocast where ``low`` is given."""
    pixels, words = batch
    with torch.autocast(pixels.device.type, low) if low else contextlib.nullcontext():
        media_nd = model.get_video_features(pixels).pooler_output
        text_nd = model.get_text_features(words).pooler_output
    level_n = torch.full((len(pixels),), 0.07, dtype=media_nd.dtype, device=pixels.device)
    LOSSES["infonce"].load()()(media_nd, text_nd, level_n).backward()
    return torch.cat([media_nd, text_nd]).detach()


def step_of(tiny: bool, device: torch.device, clips: int, low: torch.dtype | None, *, double: bool) -> list[Tensor]:
    """Embeddings and gradients, as vectors of float64."""
    model = make_model(tiny, device)
    pixels, words = make_batch(model, clips)
    checkpoint_layers(model)  # float64 holds every layer's attention otherwise
    if double:
        model, pixels = model.double(), pixels.double()
    embeddings = backward(model, (pixels, words), low)
    gradients = [each.grad.double().flatten() for each in model.parameters() if each.grad is not None]
    return [embeddings.double().flatten().cpu(), torch.cat(gradients).cpu()]


def compare_gradients(tiny: bool, device: torch.device, clips: int) -> bool:
    print(f"\n1. {clips} clips against float64: norm of the difference over the norm")
    print(f"{'':24}{'embeddings':>12}{'gradients':>12}")
    exact = step_of(tiny, device, clips, None, double=True)
    good = True
    for name, tolerance in TOLERANCE.items():
        torch.backends.cudnn.allow_tf32 = "TF32" in name
        found = step_of(tiny, device, clips, PRECISIONS[name.partition(",")[0]], double=False)
        errors = [float((ours - truth).norm() / truth.norm()) for ours, truth in zip(found, exact, strict=True)]
        good &= errors[1] <= tolerance
        shown = "".join(f"{error:12.1e}" for error in errors)
        print(f"{name:24}{shown}" + ("" if errors[1] <= tolerance else "  too much"))
    torch.backends.cudnn.allow_tf32 = True
    return good


def time_steps(model: SpaceTimeClipModel, clips: int, low: torch.dtype | None) -> tuple[float, float]:
    """Clips a second, and peak memory in GiB, NaN without a GPU."""
    device = model.logit_scale.device
    batch = make_batch(model, clips)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-5)
    taken: list[float] = []
    for step in range(WARM + STEPS):
        if device.type == "cuda" and step == WARM:
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        optimizer.zero_grad()
        backward(model, batch, low)
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")
    return clips / statistics.median(taken[WARM:]), peak


def compare_speed(
    tiny: bool, device: torch.device, precisions: list[str], batches: list[int], compiles: list[bool]
) -> None:
    print(f"\n2. whole steps\n{'':12}{'clips':>7}{'checkpointing':>15}{'compiled':>10}{'clips / s':>11}{'GiB':>8}")
    for name in precisions:
        for clips in batches:
            for checkpointing in (False, True):
                for compiled in compiles:
                    model = make_model(tiny, device)
                    if checkpointing:
                        checkpoint_layers(model)
                    if compiled:
                        model.vision.compile()
                        model.text.compile()
                    try:
                        speed, peak = time_steps(model, clips, PRECISIONS[name])
                        shown = f"{speed:11.1f}{peak:8.1f}"
                    except torch.cuda.OutOfMemoryError:
                        shown = "  doesn't fit"
                    print(f"{name:12}{clips:7}{checkpointing!s:>15}{compiled!s:>10}{shown}", flush=True)
                    del model
                    if device.type == "cuda":
                        torch.cuda.empty_cache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="a small model")
    parser.add_argument("--device", help="default: a GPU if there is one")
    parser.add_argument("--precisions", choices=PRECISIONS, nargs="+", default=list(PRECISIONS), help="of the steps")
    parser.add_argument("--batches", type=int, nargs="+", help="clips a step (default: 16 64 128; tiny: 4)")
    parser.add_argument("--no-compile", action="store_true", help="leave out the compiled steps")
    parser.add_argument("--only-compiled", action="store_true", help="leave out the others")
    arguments = parser.parse_args()
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cpu" and not arguments.tiny:
        print("left out: a ViT-B on 16 frames takes a GPU; --tiny tries the script")
        return
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu'}")
    good = compare_gradients(arguments.tiny, device, 4)
    batches = arguments.batches or ([4] if arguments.tiny else [16, 64, 128])
    compiles = [each for each in (False, True) if not (arguments.only_compiled, arguments.no_compile)[each]]
    compare_speed(arguments.tiny, device, arguments.precisions, batches, compiles)
    print("\n" + ("gradients agree to rounding" if good else "gradients differ by more than rounding"))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
