"""How one comes to a node of the lab in memory: ports, accounts, sessions, faults on the way."""

from __future__ import annotations

from cucm_certflow.clock import Clock
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_faults import (
    ACCOUNTS,
    CONNECT_TIMEOUT_S,
    CONNECTION_BROKE,
    Unseen,
    expired,
    other_identity,
    words_of,
)
from cucm_certflow.lab.memory_words import CLI
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.names import Interface
from cucm_certflow.transports.breaker import Breaker

__all__ = ["Doors"]


class Doors:
    """The ports of the nodes of *cluster*, and the sessions that are open there.

    Args:
        cluster: Whose.
        driver: By which opening and waiting take their time.
    """

    def __init__(self, cluster: LabCluster, driver: Clock) -> None:
        self._cluster = cluster
        self._driver = driver
        self._breaker = Breaker()
        self._sessions: set[str] = set()

    def close(self) -> None:
        """Let go of every session; idempotent."""
        self._sessions.clear()

    def let_go(self, node: str) -> None:
        """Let go of the session on *node*, if there is one."""
        self._sessions.discard(node)

    async def reach(self, node: str, door: int, by: str, *texts: str) -> bool:
        """Come to port *door* of *node*, which a fault may keep; a shell is opened if need be.

        Args:
            node: To whom.
            door: CUCM's number of the port.
            by: Over which interface.
            texts: What is about to be sent, if a fault may strike its connection.

        Returns:
            Whether one has; then nothing else strikes it.

        Raises:
            AuthenticationFailed: The account is refused, or was before.
            IdentityNotTrusted: Somebody else seems to be there.
            Unseen: There is no connection; nothing was sent.
        """
        faults = self._cluster.faults
        struck = bool(texts) and faults.strikes_on_the_way(node, *texts)
        if struck:
            faults.strike(node, *texts)
            self._sessions.discard(node)
        fault = faults.at_door(node, door)
        kind = None if fault is None or not _concerns(fault.kind, by) else fault.kind
        if by == CLI:
            self._check_node(node)
            if node in self._sessions:
                return struck
        account = ACCOUNTS.get(by)
        if account is not None:
            self._breaker.check(account, self._user(account))
        match kind:
            case FaultKind.TLS_SWAPPED if by == Interface.TLS:
                pass  # it is looked at, and not trusted
            case FaultKind.CONNECTION_REFUSED:
                raise Unseen(words_of(FaultKind.CONNECTION_REFUSED))
            case FaultKind.HOST_KEY_CHANGED | FaultKind.TLS_SWAPPED:
                raise other_identity(node, door)
            case FaultKind.PASSWORD_EXPIRED if account is not None:
                self._breaker.trip(account, self._user(account), node)
                raise expired(node, account, self._user(account))
            case FaultKind.SLOW_START:
                assert fault is not None  # its kind is known
                patience = CONNECT_TIMEOUT_S.get(by, 10.0)
                await self._driver.sleep(min(fault.late_s, patience))
                if fault.late_s >= patience:
                    raise Unseen(words_of(FaultKind.SLOW_START))
            case _:
                pass
        if by == CLI:
            await self._open(node)
        return struck

    def _check_node(self, node: str) -> None:
        if not self._cluster.is_node_up(node):
            self._sessions.discard(node)
            message = f"no connection to {node}"
            raise Unseen(message)

    def is_swapped(self, node: str, door: int) -> bool:
        """Whether port *door* of *node* shows somebody else's certificate now."""
        fault = self._cluster.faults.at_door(node, door)
        return fault is not None and fault.kind is FaultKind.TLS_SWAPPED

    def _user(self, account: str) -> str:
        accounts = self._cluster.scenario.accounts
        return (accounts.platform if account == "platform" else accounts.application).user

    def marks(self, node: str) -> tuple[int, int]:
        """What changes when every connection to *node* breaks."""
        return self._cluster.boots(node), self._cluster.driver_clock.naps

    def has_broken(self, node: str, marks: tuple[int, int]) -> bool:
        """Whether the connections to *node* broke since *marks*; then its session is let go of."""
        if self.marks(node) == marks:
            return False
        self.lose_sessions(marks)
        self._sessions.discard(node)
        return True

    def check_unbroken(self, node: str, marks: tuple[int, int]) -> None:
        """Return if the connections to *node* have lasted since *marks*.

        Raises:
            Unseen: They have not; the session is let go of.
        """
        if self.has_broken(node, marks):
            raise Unseen(CONNECTION_BROKE)

    def lose_sessions(self, marks: tuple[int, int]) -> None:
        """Let go of every session if the machine slept since *marks*: none outlasts that."""
        if self._cluster.driver_clock.naps != marks[1]:
            self._sessions.clear()

    async def _open(self, node: str) -> None:
        if node not in self._sessions:
            await self._driver.sleep(self._cluster.scenario.timing.session_start_s)
            self._check_node(node)
            self._sessions.add(node)


def _concerns(kind: FaultKind, by: str) -> bool:
    """Whether who comes by interface *by* meets a fault of that kind at the port at all."""
    return not kind.interfaces or by in {each.value for each in kind.interfaces}
