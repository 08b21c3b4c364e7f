"""The contract suite as a class for pytest: a subclass gives the transport, pytest does the rest.

::

    class TestOurGateway(TransportContract):
        @asynccontextmanager
        async def subject(self):
            clock = VirtualClock()
            ...
            yield Subject(transport=…, discover=…, clock=clock, publisher="pub", subscriber="sub1")
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import attrs

from cucm_certflow.testing.contract import CHECKS
from cucm_certflow.testing.subject import Check, NotOffered, Subject
from cucm_certflow.testing.virtual import run_virtual

__all__ = ["TransportContract"]


class TransportContract:
    """Every check of the contract as a test method; name the subclass ``Test…``.

    Attributes:
        not_offered: The classes of queries and commands that the transport does not offer, each
            with the reason. ``supports`` has to say no to them. A check that needs one is skipped
            with that reason; it is never passed in silence.
    """

    not_offered: ClassVar[Mapping[type, str]] = {}

    def subject(self) -> AbstractAsyncContextManager[Subject]:
        """A fresh small cluster behind the transport in question; called once for every check."""
        raise NotImplementedError

    def run(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a check: in virtual time; for real sockets say ``asyncio.run(story())``."""
        run_virtual(story)

    def _checked(self, check: Check) -> None:
        async def story() -> None:
            async with self.subject() as given:
                await check(attrs.evolve(given, not_offered=self.not_offered))

        try:
            self.run(story)
        except NotOffered as error:
            import pytest  # noqa: PLC0415 - the contract can be read without it

            pytest.skip(str(error))


def _test_of(check: Check) -> Callable[[TransportContract], None]:
    def test(self: TransportContract) -> None:
        self._checked(check)

    test.__doc__ = check.__doc__
    test.__name__ = "test_" + check.__name__.removeprefix("check_")
    test.__qualname__ = f"TransportContract.{test.__name__}"
    return test


for _check in CHECKS:  # one list of checks, and no second one to forget
    _made = _test_of(_check)
    setattr(TransportContract, _made.__name__, _made)
