"""The platform's REST interface as the lab serves it: what clients of others have met."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cucm_certflow.lab.scenario import PlatformSpec
from cucm_certflow.names import CertUnit
from cucm_certflow.trust.x509 import certificate_from_pem
from tests.lab.desk import Office, office

pytestmark = pytest.mark.asyncio

BASE = "/platformcom/api/v1/certmgr/config"
REQUEST = {
    "service": "tomcat",
    "distribution": "this-server",
    "commonName": "pub.lab.example",
    "keyType": "ec",
    "keyLength": 256,
    "hashAlgorithm": "sha256",
    "altNames": ["pub.lab.example", "pub"],
}


async def ask(
    at: Office,
    method: str,
    path: str,
    body: object = None,
    *,
    node: str = "pub",
    account: PlatformSpec | None = None,
    password: str | None = None,
) -> httpx.Response:
    return await at.send(
        method,
        f"{BASE}{path}",
        node=node,
        content=None if body is None else json.dumps(body),
        account=account or at.cluster.scenario.accounts.platform,
        password=password,
    )


async def read(at: Office, path: str, node: str = "pub") -> Any:  # noqa: ANN401 - JSON
    answer = await ask(at, "GET", path, node=node)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def requested(at: Office, **other: object) -> x509.CertificateSigningRequest:
    answer = await ask(at, "POST", "/csr", REQUEST | other)
    assert answer.status_code == 200, answer.text
    return x509.load_pem_x509_csr(answer.json()["csr"].encode())


class Authority:
    """A certificate authority, which another one may have signed."""

    def __init__(self, name: str, above: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (above or self).sign(self.name, self.key.public_key())

    def sign(self, subject: x509.Name, key: CertificatePublicKeyTypes) -> x509.Certificate:
        begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=365))
            .sign(self.key, hashes.SHA256())
        )


def pem(*certificates: x509.Certificate) -> list[str]:
    return [each.public_bytes(Encoding.PEM).decode() for each in certificates]


# ── who may, and where ────────────────────────────────────────────────────────────────────


async def test_below_14_there_is_no_such_interface() -> None:
    with office(release='"12.5"') as at:
        assert (await ask(at, "GET", "/snapshot/server")).status_code == 404
        wrong = await ask(at, "GET", "/snapshot/server", password="no")
        assert wrong.status_code == 404


async def test_only_the_platform_administrator_is_let_in() -> None:
    with office(release='"14.0"') as at:
        application = at.cluster.scenario.accounts.application
        for answer in (
            await ask(at, "GET", "/snapshot/server", password="no"),
            await at.send("GET", f"{BASE}/snapshot/server", account=application),
            await ask(at, "GET", "/nowhere", password="no"),
        ):
            assert answer.status_code == 401
            assert "CMPlatform Realm" in answer.text
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="CMPlatform Realm"'


async def test_privilege_0_reads_and_changes_nothing() -> None:
    low = "\n[accounts]\nplatform = { user = 'watch', password = 'w', privilege = 0 }\n"
    with office(release='"14.0"', more=low) as at:
        await read(at, "/snapshot/server")
        for path in ("/csr", "/trust/certificates", "/identity/certificates"):
            answer = await ask(at, "POST", path, REQUEST)
            assert (answer.status_code, list(answer.json())) == (403, ["error"])
        assert all("csr" not in each for each in (await read(at, "/snapshot/server"))["identities"])


# ── looking ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("node", "units"),
    [
        ("pub", ["tomcat", "ipsec", "CAPF", "CallManager", "TVS", "ITLRecovery"]),
        ("imp", ["tomcat", "ipsec", "cup", "cup-xmpp", "cup-xmpp-s2s"]),
    ],
)
async def test_a_snapshot_is_what_the_node_holds_at_that_moment(
    node: str, units: list[str]
) -> None:
    with office(release='"15.0"') as at:
        for _ in range(2):
            snapshot = await read(at, "/snapshot/server", node)
            assert snapshot["server"] == node
            assert snapshot["trackingId"]
            assert snapshot["revokedCertificates"] == []
            assert [each["service"] for each in snapshot["identities"]] == units
            for each in snapshot["identities"]:
                cert = at.cluster.certificate(node, CertUnit(each["service"]))
                rendered = await at.desk.papers.certificate(cert)
                assert certificate_from_pem(each["certificate"]).fingerprint == rendered.fingerprint
                query = f"?service={each['service']}"
                one = await read(at, f"/identity/certificate{query}", node)
                assert one["certificate"] == each["certificate"]
                assert await read(at, f"/identity/certificates{query}", node) == [one]
            at.cluster.begin_regenerate(node, CertUnit.TOMCAT)
            at.clock.turn(60)


async def test_what_there_is_not_is_said_in_json() -> None:
    with office(release='"14.0"') as at:
        for method, path, status in (
            ("GET", "/identity/certificate?service=tea", 400),
            ("GET", "/identity/certificate", 400),
            ("GET", "/csr?service=tomcat", 404),
            ("GET", "/snapshot", 404),
            ("DELETE", "/csr", 404),
            ("POST", "/csr", 400),
        ):
            answer = await ask(at, method, path)
            assert answer.status_code == status
            assert {"message", "error", "messages"} & set(answer.json())


# ── signing requests, trust, and certificates by a CA ─────────────────────────────────────


async def test_a_request_waits_and_a_new_one_takes_its_place() -> None:
    with office(release='"14.0"') as at:
        first = await requested(at)
        assert first.is_signature_valid
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["pub.lab.example", "pub"]
        second = await requested(at, keyType="rsa", keyLength=2048)
        assert isinstance(second.public_key(), rsa.RSAPublicKey)
        waiting = (await read(at, "/csr?service=tomcat"))["csr"]
        assert x509.load_pem_x509_csr(waiting.encode()) == second
        identities = (await read(at, "/snapshot/server"))["identities"]
        assert [each.get("csr") for each in identities] == [waiting, *[None] * 5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"service": ["tomcat"]},
        {"commonName": ""},
        {"distribution": "everywhere"},
        {"keyType": "dsa"},
        {"keyLength": 1024},
        {"keyLength": True},
        {"hashAlgorithm": "md5"},
        {"altNames": "pub"},
        {"altNames": [1]},
        {"commonName": "x" * 100},
    ],
    ids=str,
)
async def test_a_wrong_request_is_refused_and_nothing_waits(wrong: dict[str, object]) -> None:
    with office(release='"14.0"') as at:
        answer = await ask(at, "POST", "/csr", REQUEST | wrong)
        assert (answer.status_code, list(answer.json())) == (400, ["message"])
        assert (await ask(at, "GET", "/csr?service=tomcat")).status_code == 404


async def test_what_is_uploaded_is_trusted_on_that_node() -> None:
    with office(release='"14.0"') as at:
        root = Authority("Root")
        body = {"service": ["tomcat", "CallManager"], "certificates": pem(root.certificate)}
        for _ in range(2):  # the same one twice is there once
            assert (await ask(at, "POST", "/trust/certificates", body)).status_code == 201
        [new] = [{"certificate": each} for each in pem(root.certificate)]
        assert (await read(at, "/trust/certificate?service=tomcat")).count(new) == 1
        trusts = (await read(at, "/snapshot/server"))["trusts"]
        holding = [
            each["service"]
            for each in trusts
            if new["certificate"] in [held["certificate"] for held in each["certificate_data"]]
        ]
        assert holding == ["CallManager-trust", "tomcat-trust"]
        assert new not in await read(at, "/trust/certificate?service=tomcat", "sub")
        for wrong, status in (
            (body | {"service": "tomcat"}, 400),
            (body | {"certificates": []}, 400),
            (body | {"certificates": ["-----BEGIN CERTIFICATE-----\nX"]}, 500),
        ):
            answer = await ask(at, "POST", "/trust/certificates", wrong)
            assert answer.status_code == status


async def test_a_certificate_by_a_ca_is_checked_and_then_is_the_labs_limit() -> None:
    with office(release='"14.0"') as at:
        root = Authority("Root")
        middle = Authority("Middle", root)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pub.lab.example")])

        async def upload(*chain: x509.Certificate) -> str:
            body = {"service": "tomcat", "certificates": pem(*chain)}
            answer = await ask(at, "POST", "/identity/certificates", body)
            assert answer.status_code == 500
            return str(answer.json()["messages"][0])

        leaf = middle.sign(subject, (await requested(at)).public_key())
        chain = (leaf, middle.certificate, root.certificate)
        assert "CN=Middle is not in the trust store" in await upload(*chain)
        await trust(at, middle)
        assert "CN=Root is not in the trust store" in await upload(*chain)
        await trust(at, root)
        assert "that comes from outside: nothing was changed" in await upload(*chain)
        await requested(at)
        assert "not that of the signing request" in await upload(*chain)
        as_list = {"service": ["tomcat"], "certificates": pem(leaf)}
        answer = await ask(at, "POST", "/identity/certificates", as_list)
        assert answer.status_code == 400
        of_tvs = {"service": "TVS", "certificates": pem(leaf)}
        answer = await ask(at, "POST", "/identity/certificates", of_tvs)
        assert "no signing request for TVS" in answer.text
        assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == 1


async def trust(at: Office, authority: Authority) -> None:
    body = {"service": ["tomcat"], "certificates": pem(authority.certificate)}
    assert (await ask(at, "POST", "/trust/certificates", body)).status_code == 201


async def test_faults_name_method_and_path() -> None:
    more = (
        f'\n[[faults]]\nkind = "refused"\ncommand = "GET {BASE}/snapshot/server"\n'
        f'[[faults]]\nkind = "lost reply"\ncommand = "POST {BASE}/csr"\n'
        f'[[faults]]\nkind = "lost command"\ncommand = "POST {BASE}/csr"\nnth = 2\n'
    )
    with office(release='"14.0"', more=more) as at:
        assert (await ask(at, "GET", "/snapshot/server")).status_code == 500
        assert "csr" not in (await read(at, "/snapshot/server"))["identities"][0]
        assert (await ask(at, "POST", "/csr", REQUEST)).status_code == 598
        waiting = (await read(at, "/snapshot/server"))["identities"][0]["csr"]
        assert (await ask(at, "POST", "/csr", REQUEST)).status_code == 598
        assert (await read(at, "/snapshot/server"))["identities"][0]["csr"] == waiting
