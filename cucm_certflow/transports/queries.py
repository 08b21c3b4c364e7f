"""Questions to the cluster's database, and how their rows become phones.

Table and column names are those of Cisco's data dictionaries (8.6 to 15) as public tools use
them: ``device`` (``tkclass`` 1 is a phone), ``typemodel``, ``securityprofile``,
``typedevicesecuritymode``, ``typedeviceprotocol`` (``device.tkdeviceprotocol``), ``devicepool``,
``callmanagergroup``, ``callmanagergroupmember``,
``callmanager.fkprocessnode``, ``processnode``.

Not verified on a node:

- the wording of ``typedevicesecuritymode.name`` (here: Non Secure, Authenticated, Encrypted, with
  or without space or hyphen). An unknown word is refused, not guessed;
- the wording of ``typedeviceprotocol.name`` (here: SIP, SCCP). It is kept as it is read, and a
  phone without a protocol, a pool or a profile has an empty text there;
- that the smallest ``priority`` of a group is its primary;
- that a class 1 device always has a device pool with a group. One without it makes the reading
  fail, because then nobody knows which TVS servers it asks;
- the models without Security By Default. TAC 118893 says Jabber, many TelePresence endpoints,
  7940 and 7960; the list that a cluster itself has is Unified Reporting, "Unified CM Phone
  Feature List, Security By Default", and should replace ours.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NoReturn

from cucm_certflow.errors import NodeFault, Report, UnknownLayout
from cucm_certflow.facts import Phone, PhoneSecurity

__all__ = [
    "DEVICE_POOLS",
    "GROUP_MEMBERS",
    "MODELS_WITH_SECURITY_BY_DEFAULT",
    "PHONES",
    "WITHOUT_SECURITY_BY_DEFAULT",
    "AnswerTooLarge",
    "DatabaseReader",
    "groups_from_rows",
    "has_no_security_by_default",
    "parameter_from_rows",
    "parameter_query",
    "phones_from_rows",
    "phones_page",
    "without_security_by_default",
]

_COLUMNS: Final = (
    "d.name, tm.name as model, tsm.name as securitymode, cmg.name as cmgroup,"
    " tdp.name as protocol, dp.name as pool, sp.name as profile"
)
_PHONE_TABLES: Final = (
    "from device as d"
    " inner join typemodel as tm on d.tkmodel=tm.enum"
    " left join securityprofile as sp on d.fksecurityprofile=sp.pkid"
    " left join typedevicesecuritymode as tsm on sp.tkdevicesecuritymode=tsm.enum"
    " left join typedeviceprotocol as tdp on d.tkdeviceprotocol=tdp.enum"
    " left join devicepool as dp on d.fkdevicepool=dp.pkid"
    " left join callmanagergroup as cmg on dp.fkcallmanagergroup=cmg.pkid"
    " where d.tkclass=1"
)

PHONES: Final = f"select {_COLUMNS} {_PHONE_TABLES} order by d.name"
"""All phones. AXL refuses answers over 8 MB: above some 10,000 phones use :func:`phones_page`."""

GROUP_MEMBERS: Final = (
    "select cmg.name as cmgroup, pn.name as nodename, cmgm.priority"
    " from callmanagergroupmember as cmgm"
    " inner join callmanagergroup as cmg on cmgm.fkcallmanagergroup=cmg.pkid"
    " inner join callmanager as cm on cmgm.fkcallmanager=cm.pkid"
    " inner join processnode as pn on cm.fkprocessnode=pn.pkid"
    " order by cmg.name, cmgm.priority"
)


DEVICE_POOLS: Final = (
    "select dp.name as pool, cmg.name as cmgroup from devicepool as dp"
    " left join callmanagergroup as cmg on dp.fkcallmanagergroup=cmg.pkid order by dp.name"
)
"""The CallManager group of each device pool."""


MODELS_WITH_SECURITY_BY_DEFAULT: Final = (
    "select distinct tm.name as model"
    " from productsupportsfeature as psf"
    " inner join typesupportsfeature as tsf on psf.tksupportsfeature=tsf.enum"
    " inner join typemodel as tm on psf.tkmodel=tm.enum"
    " where tsf.name='Security By Default'"
)
"""What Unified Reporting's Phone Feature List is made from; the feature's name is not verified."""


def phones_page(after: str = "", first: int = 2000) -> str:
    """The query for the next *first* phones whose name comes after *after*.

    By name and not by offset, so that a phone that is added or deleted meanwhile does not push
    another one out between two pages.
    """
    if first < 1:
        message = f"first must be 1 or more, saw {first}"
        raise ValueError(message)
    quoted = after.replace("'", "''")
    condition = f" and d.name > '{quoted}'" if after else ""
    return f"select first {first} {_COLUMNS} {_PHONE_TABLES}{condition} order by d.name"


WITHOUT_SECURITY_BY_DEFAULT: Final = frozenset(
    {
        "Cisco 7902",
        "Cisco 7905",
        "Cisco 7910",
        "Cisco 7912",
        "Cisco 7935",
        "Cisco 7936",
        "Cisco 7940",
        "Cisco 7960",
        "Cisco ATA 186",
        "Cisco Unified Client Services Framework",
        "Cisco Dual Mode for Android",
        "Cisco Dual Mode for iPhone",
        "Cisco Jabber for Tablet",
        "Cisco IP Communicator",
        "Analog Phone",
        "CTI Port",
        "Third-party SIP Device (Basic)",
        "Third-party SIP Device (Advanced)",
    }
)
"""Models that hold no ITL and never ask TVS.

TAC 118893 names 7940, 7960 and Jabber (the soft clients here); the others are old or are no Cisco
telephones, and are ours to believe: not verified, replace it with the cluster's own report.
"""


def has_no_security_by_default(model: str, models: Iterable[str]) -> bool:
    """Whether *model* is one of *models*; capitals, spaces and a final G do not matter."""
    return _plain(model) in {_plain(each) for each in models}


def without_security_by_default(
    phone_rows: Iterable[Mapping[str, str]], model_rows: Iterable[Mapping[str, str]]
) -> frozenset[str]:
    """The models of *phone_rows* that the cluster itself does not list with Security By Default.

    Args:
        phone_rows: Rows of :data:`PHONES`.
        model_rows: Rows of :data:`MODELS_WITH_SECURITY_BY_DEFAULT`.

    Raises:
        UnknownLayout: The cluster lists no model at all: it calls the feature otherwise.
    """
    having = {_plain(_column(row, "model")) for row in model_rows}
    if not having:
        _unknown("models with the feature Security By Default", "no row")
    models = {_column(row, "model") for row in phone_rows}
    return frozenset(model for model in models if _plain(model) not in having)


def parameter_query(name: str) -> str:
    """The query for the enterprise or service parameter called *name*.

    Raises:
        ValueError: *name* is no parameter's name.
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", name) is None:
        message = f"expected the name of a parameter, saw {name[:40]!r}"
        raise ValueError(message)
    # Nothing but letters, digits and underscores gets here.
    return f"select paramname,paramvalue from processconfig where paramname='{name}'"  # noqa: S608 - see above


def parameter_from_rows(rows: Sequence[Mapping[str, str]]) -> str:
    """The value out of the rows of :func:`parameter_query`.

    Raises:
        UnknownLayout: They are not one row, or there is no such parameter.
    """
    if len(rows) != 1 or "paramvalue" not in rows[0]:
        _unknown("one row with a paramvalue", repr(list(rows[:3])))
    return rows[0]["paramvalue"]


def phones_from_rows(
    phone_rows: Iterable[Mapping[str, str]],
    member_rows: Iterable[Mapping[str, str]],
    without_sbd_models: Iterable[str] = WITHOUT_SECURITY_BY_DEFAULT,
    *,
    node_name: Callable[[str], str] | None = None,
) -> tuple[Phone, ...]:
    """Phones in order of name, each with its group's nodes in order of priority.

    Args:
        phone_rows: Rows of :data:`PHONES` or of all :func:`phones_page`.
        member_rows: Rows of :data:`GROUP_MEMBERS`.
        without_sbd_models: Models without Security By Default, as ``typemodel`` names them.
        node_name: From ``processnode.name``, which may be an address or carry a domain, to the
            name that the rest of the library uses; left as it is if not given.

    Raises:
        UnknownLayout: A row lacks a column, or says something that we do not know.
    """
    groups = groups_from_rows(member_rows, node_name or str)
    plain = frozenset(_plain(model) for model in without_sbd_models)
    phones: dict[str, Phone] = {}
    for row in phone_rows:
        name, model, group = _column(row, "name"), _column(row, "model"), _column(row, "cmgroup")
        if group not in groups:
            _unknown(f"members of the CallManager group of {name}", repr(group))
        phones[name] = Phone(
            name=name,
            model=model,
            group=groups[group],
            security=_security(row.get("securitymode", ""), name),
            security_by_default=_plain(model) not in plain,
            protocol=row.get("protocol", "").strip(),
            pool=row.get("pool", "").strip(),
            profile=row.get("profile", "").strip(),
        )
    return tuple(phones[name] for name in sorted(phones))


def groups_from_rows(
    member_rows: Iterable[Mapping[str, str]], node_name: Callable[[str], str]
) -> dict[str, tuple[str, ...]]:
    """The nodes of each CallManager group, in order of priority.

    Raises:
        UnknownLayout: A row lacks a column, or says something that we do not know.
    """
    members: dict[str, list[tuple[int, str]]] = {}
    for row in member_rows:
        group, node = _column(row, "cmgroup"), _column(row, "nodename")
        priority = _column(row, "priority")
        if re.fullmatch(r"[0-9]{1,4}", priority) is None:
            _unknown("a number as priority", repr(priority))
        members.setdefault(group, []).append((int(priority), node_name(node)))
    return {group: tuple(node for _, node in sorted(found)) for group, found in members.items()}


class AnswerTooLarge(NodeFault):
    """The rows are more than the node gives at a time; ``rows`` is how many it would give."""

    def __init__(self, report: Report, rows: int | None) -> None:
        super().__init__(report)
        self.rows = rows


class DatabaseReader:
    """The cluster's database over any way that answers a SELECT.

    Args:
        sql: The rows of a SELECT, by column; a column that is null is an empty text.
        node_name: From ``processnode.name`` to the name that the rest of the library uses.
        page: Phones per query; 1 or more.
    """

    def __init__(
        self,
        sql: Callable[[str], Awaitable[Sequence[Mapping[str, str]]]],
        node_name: Callable[[str], str],
        *,
        page: int = 2000,
    ) -> None:
        self._sql = sql
        self._node_name = node_name
        self._page = page

    async def parameter(self, name: str) -> str:
        """The value of a parameter.

        Raises:
            NodeError: As *sql*; UnknownLayout if there is no such parameter.
            ValueError: *name* is no parameter's name. Nothing was sent.
        """
        return parameter_from_rows(await self._sql(parameter_query(name)))

    async def groups(self) -> dict[str, tuple[str, ...]]:
        """The nodes of each CallManager group, in order of priority; NodeError as *sql*."""
        return groups_from_rows(await self._sql(GROUP_MEMBERS), self._node_name)

    async def pools(self) -> dict[str, str]:
        """The CallManager group of each device pool, empty if it has none; NodeError as *sql*."""
        rows = await self._sql(DEVICE_POOLS)
        return {_column(row, "pool"): row.get("cmgroup", "").strip() for row in rows}

    async def phones(self) -> tuple[Phone, ...]:
        """All phones, read page by page: AXL refuses answers over 8 MB.

        A page that is too large for the node is read again in smaller ones.

        Raises:
            NodeError: As *sql*.
        """
        rows: list[Mapping[str, str]] = []
        names: set[str] = set()
        page, last = self._page, ""
        while True:
            try:
                found = await self._sql(phones_page(last, page))
            except AnswerTooLarge as error:
                smaller = min(page // 2, (error.rows or page + 1) - 1)
                if smaller < 1:
                    raise
                page = smaller
                continue
            rows += found
            if len(found) < page:
                break
            new = {_column(row, "name") for row in found} - names
            if not new:
                _unknown(f"phones whose names come after {last!r}", "only phones from before")
            names |= new
            last = _column(found[-1], "name")
        groups = await self._sql(GROUP_MEMBERS)
        return phones_from_rows(rows, groups, node_name=self._node_name)


_SECURITY: Final = {
    "": PhoneSecurity.NON_SECURE,  # no profile: the device has no security features
    "nonsecure": PhoneSecurity.NON_SECURE,
    "authenticated": PhoneSecurity.AUTHENTICATED,
    "encrypted": PhoneSecurity.ENCRYPTED,
}


def _security(mode: str, name: str) -> PhoneSecurity:
    known = _SECURITY.get(re.sub(r"[\s-]", "", mode).lower())
    if known is None:
        _unknown("Non Secure, Authenticated or Encrypted", f"{mode!r} for {name}")
    return known


def _plain(model: str) -> str:
    text = " ".join(model.split()).casefold()
    return re.sub(r"(?<=\d)g$", "", text).replace("cisco unified ip phone ", "cisco ")


def _column(row: Mapping[str, str], name: str) -> str:
    value = row.get(name, "").strip()
    if not value:
        _unknown(f"a value in column {name}", repr(dict(row)))
    return value


def _unknown(expected: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline="the cluster's database answered in a form that we cannot read",
            expected=expected,
            saw=saw[:240],
        )
    )
