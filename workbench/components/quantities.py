"""Quantities as people say them."""

from workbench.components.shell import t

GB = 1024**3


def duration(seconds: float) -> str:
    """A span of time as people say it."""
    if seconds < 90:
        return t("duration.seconds", seconds=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
    if seconds < 90 * 60:
        return t("duration.minutes", minutes=f"{seconds / 60:.0f}")
    return t("duration.hours", hours=f"{seconds / 3600:.1f}")


def gigabytes(size: float) -> str:
    """A number of bytes in GB."""
    return f"{size / GB:.2f} GB"
