"""The list and get operations of AXL: rows of the database as elements, in the schema's order.

Element names, their order and the attribute ``uuid`` are those of the AXL schema (8.5 to 15.0 agree
in what is here). What is not in the lab's database is empty, as a column that is null.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from cucm_certflow.lab.servers import soap
from cucm_certflow.lab.servers.database import Database

__all__ = ["LISTINGS", "BadRequest", "Found", "NoSuchItem", "get_callmanager_group", "list_items"]


class BadRequest(Exception):
    """The request is not as the schema has it; the text is the lab's invention."""


class NoSuchItem(Exception):
    """There is nothing of that name, which is the argument."""


class Found(NamedTuple):
    """What is within ``<return>``, and of how many rows it is made."""

    text: str
    rows: int


class _Tag(NamedTuple):
    """An element, and the SQL expression of its text; of its uuid, if it names something else."""

    name: str
    value: str = "null"
    uuid: str = ""


class Listing(NamedTuple):
    """One list operation: the element of an item, where it comes from, and what it has."""

    element: str
    source: str
    key: str
    tags: tuple[_Tag, ...]
    criteria: Mapping[str, str]


_PHONE: Final = Listing(
    "phone",
    "device d left join typemodel tm on tm.enum = d.tkmodel"
    " left join typeproduct tp on tp.tkmodel = d.tkmodel"
    " left join typeclass tc on tc.enum = d.tkclass"
    " left join typedeviceprotocol tdp on tdp.enum = d.tkdeviceprotocol"
    " left join devicepool dp on dp.pkid = d.fkdevicepool"
    " left join securityprofile sp on sp.pkid = d.fksecurityprofile"
    " where d.tkclass = 1",
    "d.pkid",
    (
        _Tag("name", "d.name"),
        _Tag("description", "d.description"),
        _Tag("product", "tp.name"),
        _Tag("model", "tm.name"),
        _Tag("class", "tc.name"),
        _Tag("protocol", "tdp.name"),
        _Tag("protocolSide", "'User'"),
        _Tag("callingSearchSpaceName"),
        _Tag("devicePoolName", "dp.name", "dp.pkid"),
        _Tag("locationName", "'Hub_None'"),
        _Tag("mediaResourceListName"),
        _Tag("securityProfileName", "sp.name", "sp.pkid"),
        _Tag("ownerUserName"),
    ),
    {
        "name": "d.name",
        "description": "d.description",
        "protocol": "tdp.name",
        "devicePoolName": "dp.name",
        "securityProfileName": "sp.name",
    },
)
_PROCESS_NODE: Final = Listing(
    "processNode",
    "processnode n left join typenodeusage u on u.enum = n.tknodeusage"
    " left join typeprocessnoderole r on r.enum = n.tkprocessnoderole where 1 = 1",
    "n.pkid",
    (
        _Tag("name", "n.name"),
        _Tag("description", "n.description"),
        _Tag("ipv6Name"),
        _Tag("nodeUsage", "u.name"),
        _Tag("lbmHubGroup"),
        _Tag("processNodeRole", "r.name"),
    ),
    {"name": "n.name", "description": "n.description", "processNodeRole": "r.name"},
)
_DEVICE_POOL: Final = Listing(
    "devicePool",
    "devicepool dp left join callmanagergroup g on g.pkid = dp.fkcallmanagergroup where 1 = 1",
    "dp.pkid",
    (
        _Tag("name", "dp.name"),
        _Tag("dateTimeSettingName", "'CMLocal'"),
        _Tag("callManagerGroupName", "g.name", "g.pkid"),
        _Tag("mediaResourceListName"),
        _Tag("regionName", "'Default'"),
        _Tag("srstName", "'Disable'"),
        _Tag("locationName", "'Hub_None'"),
    ),
    {"name": "dp.name", "callManagerGroupName": "g.name", "regionName": "'Default'"},
)
_GROUP: Final = Listing(
    "callManagerGroup",
    "callmanagergroup g where 1 = 1",
    "g.pkid",
    (_Tag("name", "g.name"), _Tag("tftpDefault", "'false'")),
    {"name": "g.name"},
)
_CALLMANAGER: Final = Listing(
    "callManager",
    "callmanager c left join processnode n on n.pkid = c.fkprocessnode where 1 = 1",
    "c.pkid",
    (
        _Tag("name", "c.name"),
        _Tag("description", "c.name"),
        _Tag("processNodeName", "n.name", "n.pkid"),
    ),
    {"name": "c.name", "description": "c.name"},
)
LISTINGS: Final[Mapping[str, Listing]] = {
    "listCallManager": _CALLMANAGER,
    "listCallManagerGroup": _GROUP,
    "listDevicePool": _DEVICE_POOL,
    "listPhone": _PHONE,
    "listProcessNode": _PROCESS_NODE,
}
"""The list operations of the lab, by name."""


def list_items(database: Database, listing: Listing, operation: ET.Element) -> Found:
    """The items that *operation* asks for.

    Criteria are patterns of SQL's LIKE, all of which must fit; ``%`` is anything. Tags that the lab
    does not have are left out. Not known of real nodes, and ours: no criterion at all, or one that
    the schema does not have, fits everything, and no tag at all gives items with their uuid alone.

    Raises:
        BadRequest: A part that the schema demands is missing, or ``skip`` or ``first`` is no
            number.
    """
    criteria = soap.child(operation, "searchCriteria")
    returned = soap.child(operation, "returnedTags")
    if criteria is None or returned is None:
        message = "searchCriteria and returnedTags are needed"
        raise BadRequest(message)
    asked = {soap.local_name(each) for each in returned}
    tags = [tag for tag in listing.tags if tag.name in asked]
    where, values = "", list[str]()
    for each in criteria:
        column = listing.criteria.get(soap.local_name(each))
        pattern = (each.text or "").strip()
        if column is not None and pattern:
            where += f" and {column} like ?"
            values.append(pattern)
    first, skip = _number(operation, "first"), _number(operation, "skip")
    # The schema says that skip counts only if there is a first.
    limit = "" if first is None else f" limit {first} offset {skip or 0}"
    columns = ", ".join([listing.key, *(f"{tag.value}, {tag.uuid or 'null'}" for tag in tags)])
    order = listing.criteria["name"]
    # Nothing but names of ours and numbers is put together here.
    rows = database.rows(
        f"select {columns} from {listing.source}{where} order by {order}{limit}",  # noqa: S608 - see above
        *values,
    )
    text = "".join(_item(listing, tags, row) for row in rows)
    return Found(text, len(rows))


def get_callmanager_group(database: Database, operation: ET.Element) -> Found:
    """The group that *operation* names, with its members in order of priority.

    Raises:
        BadRequest: It names none.
        NoSuchItem: There is none of that name.
    """
    name = soap.text(operation, "name")
    pkid = soap.text(operation, "uuid").strip("{}").lower()
    if not name and not pkid:
        message = "name or uuid is needed"
        raise BadRequest(message)
    groups = database.rows(
        "select pkid, name from callmanagergroup where name = ? or pkid = ?", name, pkid
    )
    if not groups:
        raise NoSuchItem(name or soap.text(operation, "uuid"))
    ((group, its_name),) = groups
    returned = soap.child(operation, "returnedTags")
    asked = None if returned is None else {soap.local_name(each) for each in returned}
    members = "".join(
        f"<member{_uuid(member)}>{_element('callManagerName', callmanager, key)}"
        f"<priority>{priority}</priority></member>"
        for member, callmanager, key, priority in database.rows(
            "select m.pkid, c.name, c.pkid, m.priority from callmanagergroupmember m"
            " join callmanager c on c.pkid = m.fkcallmanager"
            " where m.fkcallmanagergroup = ? order by m.priority",
            group or "",
        )
    )
    parts = {
        "name": _element("name", its_name, None),
        "tftpDefault": "<tftpDefault>false</tftpDefault>",
        "members": f"<members>{members}</members>",
    }
    within = "".join(text for tag, text in parts.items() if asked is None or tag in asked)
    return Found(f"<callManagerGroup{_uuid(group)}>{within}</callManagerGroup>", 1)


def _item(listing: Listing, tags: list[_Tag], row: tuple[str | None, ...]) -> str:
    within = "".join(
        _element(tag.name, row[1 + 2 * place], row[2 + 2 * place]) for place, tag in enumerate(tags)
    )
    return f"<{listing.element}{_uuid(row[0])}>{within}</{listing.element}>"


def _element(name: str, value: str | None, uuid: str | None) -> str:
    return f"<{name}{_uuid(uuid)}>{escape(value)}</{name}>" if value else f"<{name}/>"


def _uuid(pkid: str | None) -> str:
    """Upper case and in braces in AXL, where SQL has it lower case and bare."""
    return f' uuid="{{{pkid.upper()}}}"' if pkid else ""


def _number(operation: ET.Element, name: str) -> int | None:
    found = soap.text(operation, name)
    if not found:
        return None
    if not found.isdecimal() or len(found) > 18:  # noqa: PLR2004 - what SQL takes
        message = f"{name} is no number"
        raise BadRequest(message)
    return int(found)
