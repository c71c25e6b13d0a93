"""The field itself: classical texts, annotation, Chinese-CLIP adaptation and retrieval; no screen, no database."""
