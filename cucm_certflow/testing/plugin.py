"""Fixtures for pytest: a lab on a virtual clock, and virtual time.

In your ``conftest.py``: ``pytest_plugins = ["cucm_certflow.testing.plugin"]``. It is not loaded by
itself: whoever does not ask for it does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["certflow_lab", "certflow_virtual"]


@pytest.fixture
def certflow_lab() -> Callable[..., Any]:
    """``certflow_lab(scenario, story)``: tell *story* with a lab of *scenario*, in virtual time.

    It is :func:`cucm_certflow.testing.play`: the lab lives as long as the story, on a loop of its
    own, so that no test can wait for another one's clock.
    """
    from cucm_certflow.testing.stage import play  # noqa: PLC0415 - only for who asks for it

    return play


@pytest.fixture
def certflow_virtual() -> Callable[..., Any]:
    """``certflow_virtual(story)``: run a coroutine function in virtual time; hours pass at once."""
    from cucm_certflow.testing.virtual import run_virtual  # noqa: PLC0415 - as above

    return run_virtual
