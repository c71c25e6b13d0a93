"""The commands of ``songclip``, by subject; each calls the task functions that the pages call."""
