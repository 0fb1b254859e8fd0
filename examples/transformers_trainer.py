"""Transformers: python examples/transformers_trainer.py [FOLDER]."""

import sys
import tempfile

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

import spectrain
from spectrain.integrations.transformers import WatchCallback

folder = sys.argv[1] if len(sys.argv) > 1 else "runs/transformers"
config = GPT2Config(vocab_size=64, n_positions=16, n_embd=32, n_layer=2, n_head=2)
tokens = torch.randint(64, (64, 16), generator=torch.Generator().manual_seed(0))
trainer = Trainer(
    model=GPT2LMHeadModel(config),
    args=TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=8,
        num_train_epochs=2,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
    ),
    train_dataset=[{"input_ids": row, "labels": row} for row in tokens],
    callbacks=[WatchCallback(folder)],
)
trainer.train()

print(spectrain.open_run(folder).metrics(source="gradient", measure="nuclear_rank"))
