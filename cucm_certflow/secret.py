"""Secrets that do not show themselves."""

from __future__ import annotations

from typing import Final

__all__ = ["Secret"]


class Secret:
    """A password whose text only :meth:`reveal` gives; no repr, no comparison, no pickle."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The text itself: only at the place where it leaves for the node."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> tuple[object, ...]:
        message = "a secret is not pickled"
        raise TypeError(message)

    def redact(self, text: str) -> str:
        """*text* with every occurrence of the secret blanked."""
        return text.replace(self._text, "<redacted>") if self._text else text
