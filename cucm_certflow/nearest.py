"""The nearest of the words that would have been right, for whoever mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["suggestion"]


def suggestion(value: object, words: Iterable[str]) -> str:
    """``; did you mean 'x'?`` if one of *words* is near *value*, and ``""`` if none is.

    Upper and lower case make no difference.

    Example:
        >>> suggestion("callmanger", ["CallManager", "TVS"])
        "; did you mean 'CallManager'?"
        >>> suggestion("x", ["CallManager", "TVS"])
        ''
    """
    by_case = {str(word).lower(): str(word) for word in words}
    near = difflib.get_close_matches(str(value).strip().lower(), by_case, 1)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""
