"""Datasets in Chinese-CLIP's formats: captions, splits, TSV / JSONL / LMDB."""
