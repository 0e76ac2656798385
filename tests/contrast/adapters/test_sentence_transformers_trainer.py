"""The adapter's example, with the real trainer and a tiny model made on the spot."""

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

from pipelines.contrast import CosineSchedule, make_strategy
from pipelines.contrast.adapters.sentence_transformers import ScheduledContrastiveLoss

from .test_sentence_transformers import rows, tiny_model

STEPS, RANGE = 12, (0.05, 0.2)


@pytest.mark.parametrize("shift_column", ["label", "shift"])
def test_the_trainer_gives_the_loss_each_pair_s_shift_and_its_own_step(tmp_path, shift_column) -> None:
    model = tiny_model()
    strategy = make_strategy("mmts", alpha=0.08, total_steps=STEPS, oscillations=2, shift_range=RANGE)
    loss = ScheduledContrastiveLoss(model, strategy)
    seen: list[tuple[float, float]] = []

    def watch(_module, _inputs, output) -> None:
        seen.append((float(output.temperature_n.min()), float(output.temperature_n.max())))

    strategy.register_forward_hook(watch)
    data = rows(shift_column)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=len(data),
        learning_rate=0.05,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        disable_tqdm=True,
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(data),
        loss=loss,
        data_collator=SentenceTransformerDataCollator(model.preprocess, valid_label_columns=[shift_column]),
    )
    loss.follow(trainer)
    trainer.train()

    base = CosineSchedule.from_oscillations(0.08, STEPS, 2)
    expected = [(base(step) + RANGE[0], base(step) + RANGE[1]) for step in range(STEPS)]
    assert torch.tensor(seen).flatten().tolist() == pytest.approx(torch.tensor(expected).flatten().tolist(), rel=1e-5)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[6] < losses[0]  # one phase of the schedule at both
    assert any(not torch.equal(before[name], value) for name, value in model.state_dict().items())
