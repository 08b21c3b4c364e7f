"""The lab's physics, rendered to bytes and read back, says what it said before."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from cucm_certflow.facts import ListView
from cucm_certflow.lab.keys import POOL
from cucm_certflow.lab.observe import list_view
from cucm_certflow.lab.physics.actions import initial
from cucm_certflow.lab.physics.world import Cert, Layout, TrustList, World
from cucm_certflow.lab.render import Renderer, digest_of_release
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.trust.lifeline import lifeline
from cucm_certflow.trust.lists import DigestAlgorithm, parse_list, view_of
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Holding, PhoneClass, accepts, boot, is_synced
from cucm_certflow.trust.x509 import certificate_from_der, certificate_from_pem
from tests.physics.stories import R11_5, R12_5, act, cluster, phone

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESSES = {"pub": "192.0.2.10", "sub": "192.0.2.11"}
RENDERER = Renderer()
KINDS = (phone(), phone(tftp=("sub", "pub"), group=("sub", "pub")))
CLASSES = (
    PhoneClass(("pub", "sub")),
    PhoneClass(("sub",), secure=True),
    PhoneClass(("pub",), security_by_default=False),
)
LAYOUTS = tuple(
    cluster(release, mixed=mixed) for release in (R11_5, R12_5) for mixed in (False, True)
)
WORDS = ("CM", "TVS", "ITLR", "rTVS", "rTFTP", "ctl", "itl-localkey", "reset")
LONGER = (
    "CM rTFTP reset TVS rTVS rTFTP reset",
    "CM TVS rTVS rTFTP reset",
    "ITLR CM rTFTP ctl",
    "CM@sub rTFTP@sub reset",
    "ITLR itl-localkey reset rTFTP reset",
    "CM rTFTP CM rTFTP",
)
STORIES = (
    "",
    *(" ".join(words) for count in (1, 2) for words in itertools.product(WORDS, repeat=count)),
    *LONGER,
)


def _name(layout: Layout) -> str:
    return f"{layout.release[0]}.{layout.release[1]} {'mixed' if layout.mixed else 'non-secure'}"


def told(layout: Layout) -> Iterator[World]:
    for story in STORIES:
        world = initial(layout, KINDS)
        for word in story.split():
            world = act(layout, KINDS, world, word)
        yield world


def lists_of(world: World) -> Iterator[TrustList]:
    for _, served in (*world.itl, *world.ctl):
        if served is not None:
            yield served
    for each in world.phones:
        yield from (held for held in (each.itl, each.ctl) if held is not None)


def parsed(layout: Layout, trust_list: TrustList, *, digest: bool = False) -> ListView:
    data = RENDERER.trust_list(
        trust_list, ADDRESSES, WHEN, digest_algorithm=digest_of_release(layout.release)
    )
    view = view_of(parse_list(data), trust_list.kind, data)
    return view if digest else view.plain()


def renamed(trust_list: TrustList) -> ListView:
    """What the lab's own eye sees, with fingerprints instead of the physics' names."""
    view = list_view(trust_list)
    groups = (*trust_list[1:2], *itertools.chain(*trust_list[2:]))
    real = {str(cert): RENDERER.fingerprint(cert) for cert in groups}
    return ListView(
        kind=view.kind,
        signer=real[view.signer],
        sast=frozenset(real[key] for key in view.sast),
        tftp=frozenset(real[key] for key in view.tftp),
        ccm=frozenset(real[key] for key in view.ccm),
        pin=frozenset(real[key] for key in view.pin),
        capf=frozenset(real[key] for key in view.capf),
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
def test_a_list_read_back_is_what_the_physics_says(layout: Layout) -> None:
    seen = {served for world in told(layout) for served in lists_of(world)}
    assert len(seen) > 15
    for served in seen:
        assert parsed(layout, served) == renamed(served)


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
def test_lists_that_differ_in_the_physics_differ_in_bytes(layout: Layout) -> None:
    seen = {served for world in told(layout) for served in lists_of(world)}
    assert len({parsed(layout, served, digest=True).digest for served in seen}) == len(seen)
    assert len({renamed(served) for served in seen}) == len({list_view(each) for each in seen})


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────────


def trust(
    layout: Layout,
    world: World,
    key: Callable[[Cert], str],
    view: Callable[[TrustList], ListView],
    policy: TrustPolicy,
) -> ClusterTrust:
    signer = CertUnit.ITLRECOVERY if layout.signer_is_itlrecovery else CertUnit.CALLMANAGER
    nodes = []
    for node in layout.nodes:
        name = node.name
        ctl = world.ctl_of(name)
        nodes.append(
            NodeTrust(
                name=name,
                callmanager=key(world.current(CertUnit.CALLMANAGER, name)),
                tvs=key(world.current(CertUnit.TVS, name)),
                itlrecovery=key(world.current(CertUnit.ITLRECOVERY, layout.itlrecovery_of(name))),
                presented_tvs=key(world.presents(CertUnit.TVS, name)),
                signing=key(world.signs(name)),
                itl=view(world.itl_of(name)),
                ctl=None if ctl is None else view(ctl),
                itl_signer=signer,
            )
        )
    return ClusterTrust(tuple(nodes), layout.mixed, signer, True, policy)


def verdicts(
    layout: Layout,
    world: World,
    key: Callable[[Cert], str],
    view: Callable[[TrustList], ListView],
    policy: TrustPolicy,
) -> list[object]:
    """Everything that the rules say of the phones of *world* and of one from the first day."""
    now = trust(layout, world, key, view, policy)
    first = initial(layout, KINDS)
    lists = [(None, None), *((each.itl, each.ctl) for each in (*world.phones, *first.phones))]
    holdings = [
        Holding(None if itl is None else view(itl), None if ctl is None else view(ctl))
        for itl, ctl in lists
    ]
    said: list[object] = []
    for kind, holding, home in itertools.product(CLASSES, holdings, now.nodes):
        offered = [served for served in (home.itl, home.ctl) if served is not None]
        said += [accepts(now, kind, holding, served) for served in offered]
        said.append(is_synced(now, kind, holding, home))
        said.append(is_synced(now, kind, boot(now, kind, holding, home), home))
        said.append(str(lifeline(now, kind, holding, home.name)))
    return said


@pytest.mark.parametrize("layout", LAYOUTS, ids=_name)
@pytest.mark.parametrize(
    "policy",
    [TrustPolicy(), TrustPolicy(tvs_vouches_for_ctl=False, vouches_for_itlrecovery=True)],
    ids=["kind", "unkind"],
)
def test_phones_are_judged_alike_by_parsed_lists_and_by_the_physics(
    layout: Layout, policy: TrustPolicy
) -> None:
    told_apart = set()
    for world in told(layout):
        by_physics = verdicts(layout, world, str, list_view, policy)
        by_bytes = verdicts(
            layout, world, RENDERER.fingerprint, lambda each: parsed(layout, each), policy
        )
        assert by_bytes == by_physics
        told_apart |= set(by_physics)
    assert {None, True, False} <= told_apart  # lists were accepted, and refused


# ── certificates ─────────────────────────────────────────────────────────────────────────────────

EVERY = tuple(
    Cert(unit, node, generation)
    for unit in (
        CertUnit.TOMCAT,
        CertUnit.CALLMANAGER,
        CertUnit.TVS,
        CertUnit.CAPF,
        CertUnit.ITLRECOVERY,
        CertUnit.IPSEC,
    )
    for node in ("pub", "sub")
    for generation in (1, 2)
)


def test_every_certificate_is_its_own_self_signed_one() -> None:
    seen = [certificate_from_der(RENDERER.certificate(cert).der) for cert in EVERY]
    assert all(each.self_signed and each.key_bits == 2048 for each in seen)
    assert len({each.fingerprint for each in seen}) == len(EVERY)
    assert len({each.serial for each in seen}) == len(EVERY)
    assert {len(each.serial) for each in seen} == {32}
    for cert, each in zip(EVERY, seen, strict=True):
        assert RENDERER.fingerprint(cert) == each.fingerprint
        assert certificate_from_pem(RENDERER.certificate(cert).pem) == each


def test_no_two_certificates_share_a_key() -> None:
    keys = {RENDERER.certificate(cert).private_key.public_key().public_numbers() for cert in EVERY}
    assert len(keys) == len(EVERY)


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (CertUnit.TOMCAT, "pub.lab.example.test"),
        (CertUnit.CALLMANAGER, "pub.lab.example.test"),
        (CertUnit.TVS, "pub.lab.example.test"),
        (CertUnit.IPSEC, "pub.lab.example.test"),
        (CertUnit.ITLRECOVERY, "ITLRECOVERY_pub.lab.example.test"),
    ],
)
def test_a_certificate_is_named_as_cucm_names_it(unit: CertUnit, name: str) -> None:
    for generation in (1, 2):
        found = certificate_from_der(RENDERER.certificate(Cert(unit, "pub", generation)).der)
        assert found.subject == f"CN={name};OU=Lab;O=Example;L=Auckland;ST=AKL;C=NZ"


def test_each_capf_has_a_number_of_its_own() -> None:
    names = [
        RENDERER.common_name(Cert(CertUnit.CAPF, node, g))
        for node, g in (("pub", 1), ("pub", 2), ("sub", 1))
    ]
    assert len(set(names)) == len(names)
    assert len(names[0]) == len("CAPF-0a1b2c3d")


def test_serials_are_the_same_in_every_process_and_differ_by_seed() -> None:
    cert = Cert(CertUnit.TVS, "pub", 1)
    assert Renderer().serial(cert) == RENDERER.serial(cert)
    assert Renderer(seed=1).serial(cert) != RENDERER.serial(cert)


def test_asked_twice_it_answers_the_same() -> None:
    cert = Cert(CertUnit.TVS, "pub", 1)
    assert RENDERER.certificate(cert) is RENDERER.certificate(cert)
    served = initial(LAYOUTS[0], ()).itl_of("pub")
    first = RENDERER.trust_list(served, ADDRESSES, WHEN)
    assert RENDERER.trust_list(served, dict(ADDRESSES), WHEN) is first
    later = RENDERER.trust_list(served, ADDRESSES, WHEN + timedelta(seconds=1))
    assert later != first
    assert parse_list(later).records == parse_list(first).records


def test_renderers_share_the_keys_of_the_pool_and_not_their_certificates() -> None:
    one, other = Renderer(), Renderer(domain="other.example.test")
    cert = Cert(CertUnit.CALLMANAGER, "pub", 1)
    before = len(POOL)
    assert one.certificate(cert).private_key is other.certificate(cert).private_key
    assert len(POOL) == max(before, 1)
    assert one.fingerprint(cert) != other.fingerprint(cert)


def test_tomcat_names_its_node_as_alternative_and_serves_tls() -> None:
    rendered = RENDERER.certificate(Cert(CertUnit.TOMCAT, "pub", 1))
    names = rendered.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.value.get_values_for_type(x509.DNSName) == ["pub.lab.example.test", "pub"]
    client = ssl.create_default_context(cadata=rendered.pem)
    assert (
        client.get_ca_certs()[0]["serialNumber"]
        == f"{RENDERER.serial(Cert(CertUnit.TOMCAT, 'pub', 1)):X}"
    )


def test_itlrecovery_outlives_the_rest_and_a_new_generation_begins_later() -> None:
    short, later, recovery = (
        certificate_from_der(RENDERER.certificate(cert).der)
        for cert in (
            Cert(CertUnit.TVS, "pub", 1),
            Cert(CertUnit.TVS, "pub", 2),
            Cert(CertUnit.ITLRECOVERY, "pub", 1),
        )
    )
    assert short.not_before is not None
    assert later.not_before is not None
    assert short.not_after is not None
    assert recovery.not_after is not None
    assert short.not_before < later.not_before
    assert short.not_after < recovery.not_after


@pytest.mark.parametrize(
    ("release", "digest"),
    [
        ((9, 1), DigestAlgorithm.SHA1),
        (R11_5, DigestAlgorithm.SHA1),
        ((12, 0), DigestAlgorithm.SHA512),
        ((15, 0), DigestAlgorithm.SHA512),
    ],
)
def test_lists_are_signed_with_the_hash_of_their_release(
    release: tuple[int, int], digest: DigestAlgorithm
) -> None:
    assert digest_of_release(release) is digest
    served = initial(LAYOUTS[0], ()).itl_of("pub")
    data = RENDERER.trust_list(served, ADDRESSES, WHEN, digest_algorithm=digest)
    assert parse_list(data).digest_algorithm is digest


def test_a_node_whose_address_is_no_address_is_listed_without_one() -> None:
    served = initial(LAYOUTS[0], ()).itl_of("pub")
    data = RENDERER.trust_list(served, {"pub": "localhost", "sub": "127.0.0.1"}, WHEN)
    seen = {(record.dns_name, record.ip_address) for record in parse_list(data).records}
    assert seen == {("pub", None), ("sub", "127.0.0.1")}


def test_a_ctl_is_written_as_a_ctl() -> None:
    served = initial(LAYOUTS[1], ()).ctl_of("pub")
    assert served is not None
    file = parse_list(RENDERER.trust_list(served, ADDRESSES, WHEN))
    assert file.filename == ListKind.CTL.file_name
