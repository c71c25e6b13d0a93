"""Suggestions: the provider interface, the schema of a reply, the offline rules and annotations.json."""
