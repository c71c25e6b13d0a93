"""The demo: painted scenes of an imagined Lin'an, texts about them, and the mini model; all of it generated."""
