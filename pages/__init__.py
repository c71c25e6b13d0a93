"""The pages: each draws, and nothing else."""
