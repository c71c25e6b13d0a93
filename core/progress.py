"""How long work tells its watcher where it is, without knowing who watches."""

from typing import Protocol

from core.errors import Stopped


class Progress(Protocol):
    """What a long function is given to report to."""

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        """Say that ``done`` of ``total`` steps are over; ``message`` is a catalogue key, ``details`` fill it."""

    def should_stop(self) -> bool:
        """Whether the person asked the work to stop; cheap enough to ask at every step."""


class Silent:
    """A watcher that looks away: for notebooks, tests and short calls."""

    def report(self, done: int, total: int, message: str = "", **details: object) -> None:
        """Say nothing."""

    def should_stop(self) -> bool:
        """Never."""
        return False


def stop_if_asked(progress: Progress) -> None:
    """Raise :class:`core.errors.Stopped` when the watcher asked for it; call it where stopping loses nothing."""
    if progress.should_stop():
        raise Stopped
