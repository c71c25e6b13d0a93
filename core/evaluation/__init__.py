"""Retrieval figures: recall, intervals, chance, comparison."""
