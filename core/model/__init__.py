"""Chinese-CLIP: loading, LoRA in both towers, features."""
