"""The exceptions people can meet, as a code and its details.

The sentence itself stands in the catalogues under ``errors.CODE`` (workbench/i18n), in Chinese and in English,
so that the field's code carries no screen text and a reader never meets a traceback.
"""


class SongclipError(Exception):
    """Something a person can understand and act on.

    ``code`` names the sentence in the catalogues; ``details`` fill its placeholders and hold no key. They may quote a
    file, so the log gets the code alone.
    """

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        return " ".join([self.code, *(f"{name}={value!r}" for name, value in self.details.items())])


class InputError(SongclipError):
    """What was given cannot be used: a file, a field, a choice."""


class NotFoundError(SongclipError):
    """What was asked for does not exist (any more)."""


class ConflictError(SongclipError):
    """Somebody else changed the record since it was read; nothing was saved."""


class StorageError(SongclipError):
    """The home folder or its database cannot be used as it is."""


class ModelError(SongclipError):
    """A model, its weights or its adapter cannot be loaded or does not fit."""


class ProviderError(SongclipError):
    """A suggestion could not be had from a provider."""


class Stopped(SongclipError):  # noqa: N818 - not an error: the person asked for it
    """The work was asked to stop and did so at a safe point."""

    def __init__(self) -> None:
        super().__init__("stopped")
