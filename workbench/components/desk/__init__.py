"""The review desk: our own component, what it shows, and what it reports."""
