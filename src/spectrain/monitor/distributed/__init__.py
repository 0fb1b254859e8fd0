"""Watching a model that several processes train: torch.distributed as it is."""
