"""Passages and what scholars say of them: entities, relations, offsets, variants and the closed vocabulary."""
