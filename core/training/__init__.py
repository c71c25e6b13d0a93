"""Contrastive tuning: batches, loss, loop, checkpoints."""
