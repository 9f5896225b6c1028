"""What stays of a run and what is seen of it: its directory, checkpoints, metrics, terminal, and the training loop."""
