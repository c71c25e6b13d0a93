"""Pictures: decoding, normalising, thumbnails, fingerprints, storage by content."""
