"""The cluster's database, as far as the lab has one: tables under Informix' names, SELECT only.

Table and column names are those of CUCM's data dictionary; values that no phone needs are the lab's
invention. AXL (``executeSQLQuery``) and the command line (``run sql``) ask the same.
"""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Iterable
from typing import Final, NamedTuple

from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.servers.certificate_table import SERVICE_NAMES, CertificateRow
from cucm_certflow.names import Product, Service

__all__ = ["Database", "Rows", "SqlError"]

_TABLES: Final = """
create table processconfig (pkid, paramname, paramvalue, tkservice);
create table processnode (pkid, name, nodeid, description, tknodeusage, tkprocessnoderole,
                          ipv4address, isactive);
create table typenodeusage (enum, name, moniker);
create table typeprocessnoderole (enum, name, moniker);
create table device (pkid, name, description, tkclass, tkmodel, tkdeviceprotocol, fkdevicepool,
                     fksecurityprofile);
create table typedeviceprotocol (enum, name, moniker);
create index devicename on device (name);
create index devicepkid on device (pkid);
create table typeclass (enum, name, moniker);
create table typemodel (enum, name, moniker);
create table typeproduct (enum, name, moniker, tkmodel);
create table typesupportsfeature (enum, name, moniker);
create table productsupportsfeature (pkid, tkmodel, tkdeviceprotocol, tksupportsfeature, param);
create table devicepool (pkid, name, fkcallmanagergroup);
create table callmanagergroup (pkid, name);
create table callmanagergroupmember (pkid, fkcallmanager, fkcallmanagergroup, priority);
create table callmanager (pkid, name, fkprocessnode, ctiid);
create table securityprofile (pkid, name, tkmodel, tkdevicesecuritymode, tksecuritypolicy);
create table typedevicesecuritymode (enum, name, moniker);
create table processnodeservice (pkid, servername, fkprocessnode, tkservice, enable, isactive);
create table typeservice (enum, name, moniker);
create table certificate (pkid, servername, ipv4address, certificate, tkcertificatedistribution);
create table certificateservicecertificatemap (pkid, fkcertificate, tkcertificateservice);
create table typecertificateservice (enum, name, moniker, usestruststore);
create table typecertificatedistribution (enum, name, moniker);
create view systables as select name as tabname, 't' as tabtype, rowid + 99 as tabid
    from sqlite_master where type = 'table';
create view syscolumns as select c.name as colname, 13 as coltype, 255 as collength,
    c.cid + 1 as colno, t.tabid as tabid from systables t, pragma_table_info(t.tabname) c;
"""
"""Tables of users have a tabid of 100 or more; that every column is a VARCHAR(255) is ours."""
_MODES: Final = {
    PhoneSecurity.NON_SECURE: 1,
    PhoneSecurity.AUTHENTICATED: 2,
    PhoneSecurity.ENCRYPTED: 3,
}
_ALWAYS_NAMED: Final = ("ClusterSecurityMode", "RollBackToPreGrayback")
_SERVICES: Final = {Service.CALLMANAGER: 0, Service.TFTP: 1, Service.CTIMANAGER: 6}
_MODEL_ZERO: Final = 40_000
_SBD_FEATURE: Final = 124
_PHONE: Final = 1
_PROTOCOLS: Final = {"SCCP": 0, "SIP": 11}


class SqlError(Exception):
    """Informix would have said no: its number, and its words."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number = number
        self.words = words


class Rows(NamedTuple):
    """What a query selects: lower-case names, and rows of text; None is NULL."""

    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


class Database:
    """The database of *cluster*, filled once: nothing that the lab does changes it.

    Except for certificates: which there are depends on the node and on the hour, so that whoever
    asks about them brings those along.
    """

    def __init__(self, cluster: LabCluster) -> None:
        self._base = sqlite3.connect(":memory:")
        self._base.executescript(_TABLES)
        self._base.create_function("nvl", 2, lambda a, b: b if a is None else a)
        self._addresses = {node.name: node.address for node in cluster.scenario.nodes}
        self._fill_nodes(cluster)
        self._fill_certificate_types()
        self._fill_phones(cluster)
        self._base.commit()
        self._base.execute("pragma query_only = on")

    def close(self) -> None:
        """Let go of it; idempotent."""
        self._base.close()

    def select(self, query: str, *, certificates: Iterable[CertificateRow] | None = None) -> Rows:
        """What *query* selects; a query in Informix' dialect, as far as CUCM's own examples go.

        Args:
            query: It.
            certificates: What the database of the node in question has; not given: what was given
                the last time.

        Raises:
            SqlError: It is no SELECT, or the tables do not have what it names.
        """
        text = query.strip().rstrip(";").strip()
        if not re.match(r"select\s", text, re.IGNORECASE):
            raise SqlError(-201, "A syntax error has occurred.")
        if certificates is not None:
            self._put_certificates(certificates)
        try:
            cursor = self._base.execute(_to_sqlite(text))
        except sqlite3.Error as error:
            raise _said(str(error)) from error
        names = tuple(str(column[0]).lower() for column in cursor.description)
        rows = tuple(tuple(_text(value) for value in row) for row in cursor.fetchall())
        return Rows(names, rows)

    def rows(self, query: str, *values: str) -> tuple[tuple[str | None, ...], ...]:
        """The rows of a query of the lab's own, in SQLite's dialect; *values* are for its marks."""
        found = self._base.execute(query, values).fetchall()
        return tuple(tuple(_text(value) for value in row) for row in found)

    # ── what is in it ─────────────────────────────────────────────────────────────────────

    def _put(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        for row in rows:
            marks = ", ".join("?" * len(row))
            # A table of ours, never text from outside.
            self._base.execute(f"insert into {table} values ({marks})", row)  # noqa: S608 - our own table names

    def _put_certificates(self, rows: Iterable[CertificateRow]) -> None:
        """Have these certificates and no others."""
        self._base.execute("pragma query_only = off")
        self._base.execute("delete from certificate")
        self._base.execute("delete from certificateservicecertificatemap")
        for number, row in enumerate(rows):
            key = _pkid("certificate", str(number))
            enum = SERVICE_NAMES.index(row.service) + 1
            address = self._addresses.get(row.node)
            self._put("certificate", [(key, row.node, address, row.pem, 1)])
            self._put("certificateservicecertificatemap", [(_pkid("map", key), key, enum)])
        self._base.commit()
        self._base.execute("pragma query_only = on")

    def _fill_certificate_types(self) -> None:
        """Monikers are as in a capture; those of distributions are the lab's invention."""
        self._put(
            "typecertificateservice",
            [
                (
                    enum,
                    name,
                    f"CERTIFICATE_SERVICE_{name.upper().replace('-', '_')}",
                    "t" if name.endswith("-trust") else "f",
                )
                for enum, name in enumerate(SERVICE_NAMES, 1)
            ],
        )
        self._put(
            "typecertificatedistribution",
            [(1, "Self-signed", "SELF_SIGNED"), (2, "Signed by CA", "CA_SIGNED")],
        )

    def _fill_nodes(self, cluster: LabCluster) -> None:
        scenario = cluster.scenario
        named = dict.fromkeys((*_ALWAYS_NAMED, *scenario.parameters))
        self._put(
            "processconfig",
            [(_pkid("parameter", name), name, scenario.parameter(name), 11) for name in named],
        )
        self._put("typenodeusage", [(0, "Publisher", "P"), (1, "Subscriber", "S")])
        self._put(
            "typeprocessnoderole",
            [(1, "CUCM Voice/Video", "CCM"), (2, "CUCM IM and Presence", "CUP")],
        )
        self._put(
            "typedevicesecuritymode",
            [(number, mode.value, mode.name) for mode, number in _MODES.items()],
        )
        self._put("typedeviceprotocol", [(enum, name, name) for name, enum in _PROTOCOLS.items()])
        self._put("typeclass", [(_PHONE, "Phone", "CLASS_PHONE")])
        self._put("typeservice", [(number, s.value, s.name) for s, number in _SERVICES.items()])
        everywhere = (_pkid("node"), "EnterpriseWideData", 1, "", 1, 1, None, "t")
        self._put("processnode", [everywhere])
        for number, node in enumerate(scenario.nodes, 2):
            pkid = _pkid("node", node.name)
            role = 2 if node.product is Product.IM_PRESENCE else 1
            usage = 0 if node.publisher else 1
            row = (pkid, node.name, number, "", usage, role, node.address, "t")
            self._put("processnode", [row])
            if Service.CALLMANAGER in node.activated:
                cm = _pkid("cm", node.name)
                self._put("callmanager", [(cm, f"CM_{node.name}", pkid, number - 1)])
            for service, enum in _SERVICES.items():
                on = "t" if service in node.activated else "f"
                key = _pkid("service", node.name, service.value)
                self._put("processnodeservice", [(key, node.name, pkid, enum, on, on)])

    def _fill_phones(self, cluster: LabCluster) -> None:
        models: dict[tuple[str, bool], int] = {}
        groups: set[tuple[str, ...]] = set()
        pools: set[str] = set()
        profiles: set[str] = set()
        devices: list[tuple[object, ...]] = []
        feature = _SBD_FEATURE
        self._put("typesupportsfeature", [(feature, "Security By Default", "SBD")])
        for phone in cluster.phones:
            device = phone.device
            key = (device.model, device.security_by_default)
            if key not in models:
                model = models[key] = _MODEL_ZERO + len(models)
                self._put("typemodel", [(model, device.model, f"MODEL_{model}")])
                self._put("typeproduct", [(model, device.model, f"PRODUCT_{model}", model)])
                if device.security_by_default:
                    protocol = _PROTOCOLS[device.protocol]
                    row = (_pkid("feature", str(model)), model, protocol, feature, None)
                    self._put("productsupportsfeature", [row])
            model = models[key]
            if device.group not in groups:
                groups.add(device.group)
                self._put_group(device.group, len(groups))
            pool = _pkid("pool", device.pool)
            if device.pool not in pools:
                pools.add(device.pool)
                self._put("devicepool", [(pool, device.pool, _pkid("group", *device.group))])
            profile = _pkid("profile", str(model), device.security.name, device.profile)
            if profile not in profiles:
                profiles.add(profile)
                mode = _MODES[device.security]
                self._put("securityprofile", [(profile, device.profile, model, mode, 99)])
            pkid, protocol = _pkid("device", device.name), _PROTOCOLS[device.protocol]
            devices.append((pkid, device.name, "", _PHONE, model, protocol, pool, profile))
        self._put("device", devices)

    def _put_group(self, group: tuple[str, ...], number: int) -> None:
        key = _pkid("group", *group)
        self._put("callmanagergroup", [(key, f"CMG_{number}")])
        for priority, node in enumerate(group):
            member = _pkid("member", node, *group)
            self._put("callmanagergroupmember", [(member, _pkid("cm", node), key, priority)])


def _pkid(*parts: str) -> str:
    """The same in every run; lower case and bare, as SQL has it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("certflow-lab", *parts))))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_FIRST: Final = re.compile(r"\A(select)\s+(?:skip\s+(\d+)\s+)?first\s+(\d+)\s+", re.IGNORECASE)


def _to_sqlite(text: str) -> str:
    """Informix' ``skip``/``first`` become LIMIT; ``matches`` becomes GLOB."""
    found = _FIRST.match(text)
    if found is not None:
        text = f"{found[1]} {text[found.end() :]} limit {found[3]} offset {found[2] or 0}"
    return re.sub(r"\bmatches\b", "glob", text, flags=re.IGNORECASE)


def _said(error: str) -> SqlError:
    """The words of sqlite as Informix' (web-apis.md §5 has the numbers)."""
    if found := re.match(r"no such column: (\S+)", error):
        words = f"Column ({found[1]}) not found in any table in the query (or SLV is undefined)."
        return SqlError(-217, words)
    if found := re.match(r"no such table: (\S+)", error):
        return SqlError(-206, f"The specified table ({found[1]}) is not in the database.")
    return SqlError(-201, "A syntax error has occurred.")
