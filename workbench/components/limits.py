"""Numbers people type, and the limits they must keep to.

A number field with limits of its own sends nothing that lies beyond them: the value before it would be used without a
word. So the fields have none, every value arrives, and what cannot be is said.
"""

from workbench.components.shell import plain, t

Number = int | float


def beyond(label: str, value: Number | None, low: Number, high: Number) -> str:
    """The sentence that names the limits of a field whose value keeps not to them; empty when it does."""
    if value is not None and low <= value <= high:
        return ""
    return t("limits.beyond", name=plain(label), low=_said(low), high=_said(high))


def _said(value: Number) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
