"""Failures that were reported, of partners, backups, identities and trust stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.entry_guards import LSCS_REISSUED
from cucm_certflow.core.plan import TrustKey
from cucm_certflow.findings import Severity
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Verified
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab
from tests.journeys.people import (
    NODES,
    Story,
    assert_done_with_nobody_lost,
    assert_refused,
    assert_stopped_by_check,
    delete_trust,
    entries,
    found,
    looked,
    planned,
    regenerate,
    reset_everybody,
    restart,
    run,
    secure,
    texts,
    unregistered,
    update_ctl,
    words,
)
from tests.words import NOBODY_LOOKED

CM, ITLR, CAPF = CertUnit.CALLMANAGER, CertUnit.ITLRECOVERY, CertUnit.CAPF
TOMCAT, IPSEC = CertUnit.TOMCAT, CertUnit.IPSEC
_OF_UNIT: Final = {
    CM: (Service.CALLMANAGER,),
    ITLR: (Service.TFTP,),
    CAPF: (Service.CAPF,),
    TOMCAT: (Service.TOMCAT,),
}

# ── F7, F8, F9, F27, F31: partners ────────────────────────────────────────────────────────────────


def _nobody_told(partner: str, unit: CertUnit) -> Callable[[Lab], Awaitable[None]]:
    """*unit* is renewed and put into service, and nobody tells *partner*."""

    async def damage(there: Lab) -> None:
        assert there.lab.book.partner_works(partner)
        await regenerate(there, unit)
        await restart(there, *_OF_UNIT[unit])
        assert not there.lab.book.partner_works(partner)
        there.lab.update_partner(partner)
        assert there.lab.book.partner_works(partner)

    return damage


def _not_verified_before(
    partner: str, unit: CertUnit, task: str, *asked: str
) -> Callable[[Lab, Path], Awaitable[None]]:
    """The plan names *task*, the preflight asks *asked*, and *task* stays open until it is done."""

    async def prevention(there: Lab, folder: Path) -> None:
        for check in asked:
            await assert_stopped_by_check(there, folder, check, unit, unsaid=[check])
        report = await looked(there, unit)
        plan = await planned(there, unit, report=report, unsaid=task)
        assert task in {each.id for each in plan.tasks}
        journal = folder / "journal"
        await run(there, plan, journal)
        assert not there.lab.book.partner_works(partner)
        after = await there.cluster.verify(journal=journal)
        assert task in {finding.check for finding in after.open()}
        assert not after.is_verified
        there.lab.update_partner(partner)
        after = await there.cluster.verify(journal=journal, said=words([task]))
        assert task not in {finding.check for finding in after.open()}

    return prevention


# ── F12, F17, F24: certificates that begin badly ──────────────────────────────────────────────────


async def _the_key_is_looked_at(there: Lab, folder: Path) -> None:
    assert "itlrecovery-key" in found(await looked(there, CM))
    # Renewing ITLRecovery needs the very command that fails with such a key.
    await assert_stopped_by_check(there, folder, "itlrecovery-key", ITLR)


async def _too_long_a_key_is_found(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "callmanager-key", CM)
    (finding,) = (f for f in (await looked(there, CM)).open() if f.check == "callmanager-key")
    assert "sub has 4096 bits" in finding.detail


async def _the_names_are_looked_at(there: Lab, folder: Path) -> None:
    report = await looked(there, TOMCAT)
    (finding,) = (f for f in report.findings if f.check == "identity-names-itself")
    assert finding.check in found(report)
    assert finding.severity is Severity.WARNING  # a regeneration cures it
    assert "sub" in finding.detail
    await assert_done_with_nobody_lost(there, folder, TOMCAT)
    assert "identity-names-itself" not in found(await looked(there, TOMCAT))


# ── F11, F13: backup ──────────────────────────────────────────────────────────────────────────────


def _back_up(there: Lab) -> bool:
    return there.lab.book.back_up().succeeded


async def _no_backup_any_more(there: Lab) -> None:
    assert _back_up(there)
    await regenerate(there, IPSEC, nodes=["pub"])
    assert not _back_up(there)
    await restart(there, Service.DRF_MASTER, Service.DRF_LOCAL)
    assert _back_up(there)
    await delete_trust(there, "sub", "ipsec-trust", "pub.lab.example.pem")
    await restart(there, Service.DRF_MASTER, Service.DRF_LOCAL)
    assert [there.lab.book.drf_works(node) for node in NODES] == [True, False]
    assert not _back_up(there)


async def _backups_go_on(there: Lab, folder: Path) -> None:
    await assert_done_with_nobody_lost(there, folder, IPSEC)
    assert _back_up(there)
    await _assert_kept(there, folder, await entries(there, "ipsec-trust"), "backup and restore")


async def _one_from_before_does_not_count(there: Lab, folder: Path) -> None:
    assert "backup-fresh" not in found(await looked(there, CertUnit.TVS))
    await assert_done_with_nobody_lost(there, folder, CertUnit.TVS)
    after = await there.cluster.verify(journal=folder / "journal")
    assert "backup-after" in found(after)
    assert _back_up(there)
    after = await there.cluster.verify(journal=folder / "journal")
    assert "backup-after" not in found(after)


# ── F16, F28, F29: trust stores ───────────────────────────────────────────────────────────────────


async def _assert_kept(there: Lab, folder: Path, keys: list[TrustKey], why: str) -> None:
    """A clean-up of *keys* is refused, also when somebody runs it, and nothing was deleted."""
    assert keys
    facts = await there.cluster.discover()
    stores = await there.cluster.trust_stores(facts)
    plan = plan_cleanup(facts, stores, delete=keys)
    assert plan.entries == ()
    assert any(why in line for reason in plan.refusals for line in reason.evidence), plan.refusals
    await assert_refused(there, plan, folder, guard=plan.refusals[0].guard)
    assert not [text for text in texts(there) if text.startswith("set cert delete")]


async def _clean_up(there: Lab, journal: Path, keys: list[TrustKey] | None, *said: str) -> None:
    """A clean-up of *keys*, or of whatever has expired, to its end."""
    facts = await there.cluster.discover()
    stores = await there.cluster.trust_stores(facts)
    plan = plan_cleanup(facts, stores, delete=keys, said=words(said))
    assert not plan.is_refused, plan.refusals
    assert isinstance(await run(there, plan, journal), Verified)


async def _it_lingers(there: Lab) -> None:
    await regenerate(there, TOMCAT)
    await restart(there, Service.TOMCAT)
    await there.clock.sleep(3600)  # nothing takes it away
    for node in NODES:
        old = there.lab.book.entry(node, "tomcat-trust", "sub-old.pem").trusted.cert
        assert old is not None
        assert old != there.lab.certificate("sub", TOMCAT)


async def _it_is_found_and_cleaned_up(there: Lab, folder: Path) -> None:
    await assert_done_with_nobody_lost(there, folder, TOMCAT)
    after = await there.cluster.verify(journal=folder / "journal")
    assert "old-trust-lingers" in found(after)
    await _clean_up(there, folder / "clean-up", await entries(there, "tomcat-trust", "sub-old.pem"))
    assert await entries(there, "tomcat-trust", "sub-old.pem") == []
    after = await there.cluster.verify(journal=folder / "journal")
    assert "old-trust-lingers" not in found(after)


async def _the_expired_go_beforehand(there: Lab, folder: Path) -> None:
    (expired,) = await entries(there, "tomcat-trust", "old-ca.pem")
    before = len(await entries(there, "tomcat-trust"))
    await _clean_up(there, folder / "clean-up", None)
    left = await entries(there, "tomcat-trust")
    assert expired not in left
    assert len(left) == before - 1


async def _gone_from_all(there: Lab) -> None:
    name = "pub.lab.example.pem"
    await delete_trust(there, "sub", "tomcat-trust", name)
    for node in NODES:
        with pytest.raises(ValueError, match="has no"):
            there.lab.book.entry(node, "tomcat-trust", name)


async def _what_is_in_use_stays(there: Lab, folder: Path) -> None:
    await _assert_kept(there, folder, await entries(there, "tomcat-trust"), "tomcat certificate of")


async def _renew_capf(there: Lab) -> str:
    """CAPF is renewed as it should be, LSCs are not; returns the file of the old one."""
    (name,) = {entry.name for entry in there.lab.book.entries("pub") if entry.store == "CAPF-trust"}
    await regenerate(there, CAPF)
    await update_ctl(there)
    await restart(there, Service.CAPF, Service.TFTP)
    await reset_everybody(there)
    assert unregistered(there) == set()
    return name


async def _lscs_are_orphaned(there: Lab) -> None:
    old = await _renew_capf(there)
    for node in NODES:
        if old in {e.name for e in there.lab.book.entries(node) if e.store == "CAPF-trust"}:
            await delete_trust(there, node, "CAPF-trust", old)
    await reset_everybody(there)
    assert unregistered(there) == secure(there)


async def _not_before_the_last_lsc(there: Lab, folder: Path) -> None:
    (before,) = await entries(there, "CAPF-trust")
    await assert_done_with_nobody_lost(there, folder, CAPF)
    await _assert_kept(there, folder, [before], "phones may still have an LSC")
    for name in secure(there):
        there.lab.issue_lsc(name)
    await _clean_up(there, folder / "clean-up", [before], LSCS_REISSUED)
    assert before not in await entries(there, "CAPF-trust")
    await reset_everybody(there)
    assert unregistered(there) == set()


# ── F18, F21: identities ──────────────────────────────────────────────────────────────────────────


async def _one_of_its_own(there: Lab) -> None:
    lab = there.lab
    assert lab.certificate("sub", TOMCAT) == lab.certificate("pub", TOMCAT)
    await regenerate(there, TOMCAT, nodes=["sub"])
    await restart(there, Service.TOMCAT, nodes=["sub"])
    assert lab.certificate("sub", TOMCAT) != lab.certificate("pub", TOMCAT)
    assert not lab.book.partner_works("uccx")


async def _what_is_shared_is_not_regenerated(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "identity-of-one-node", TOMCAT)
    plan = await planned(there, TOMCAT, report=NOBODY_LOOKED)
    await assert_refused(there, plan, folder, guard="identity")
    assert texts(there) == []
    await _one_of_its_own(there)  # and what somebody else did is found
    assert "identity-shared-by-all" in found(await looked(there, TOMCAT))


async def _the_ca_is_lost(there: Lab) -> None:
    lab = there.lab
    assert not lab.identities.describe(lab.certificate("sub", TOMCAT)).is_self_signed
    await regenerate(there, TOMCAT, nodes=["sub"])
    assert lab.identities.describe(lab.certificate("sub", TOMCAT)).is_self_signed


async def _what_a_ca_signed_is_not_regenerated(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "identity-self-signed", TOMCAT)
    plan = await planned(there, TOMCAT, report=NOBODY_LOOKED)
    await assert_refused(there, plan, folder, guard="self_signed")
    assert texts(there) == []


STORIES: Final = (
    Story(
        "F7",
        "f07-radius-without-the-new-capf.toml",
        _not_verified_before("ise", CAPF, "dot1x-trust", "lsc-in-use"),
        _nobody_told("ise", CAPF),
    ),
    Story(
        "F8",
        "f08-sso-with-old-metadata.toml",
        _not_verified_before("idp", TOMCAT, "sso-metadata", "sso-disabled"),
        _nobody_told("idp", TOMCAT),
    ),
    Story(
        "F9",
        "f09-expressway-does-not-know-the-ca.toml",
        _not_verified_before("exp-c", CM, "expressway-trust"),
        _nobody_told("exp-c", CM),
    ),
    Story(
        "F11",
        "f11-restored-from-before.toml",
        _one_from_before_does_not_count,
        untold="the lab takes no restore",
    ),
    Story(
        "F12",
        "f12-recovery-key-of-1024-bits.toml",
        _the_key_is_looked_at,
        untold="the physics has no key lengths",
    ),
    Story("F13", "f13-backup-is-dead.toml", _backups_go_on, _no_backup_any_more),
    Story("F16", "f16-the-old-one-lingers.toml", _it_is_found_and_cleaned_up, _it_lingers),
    Story(
        "F17",
        "f17-name-not-repeated.toml",
        _the_names_are_looked_at,
        untold="the lab takes no request for a certificate yet, and its phones look at no names",
    ),
    Story(
        "F18",
        "f18-subscriber-with-one-of-its-own.toml",
        _what_is_shared_is_not_regenerated,
        _one_of_its_own,
    ),
    Story(
        "F21", "f21-ca-signed-is-lost.toml", _what_a_ca_signed_is_not_regenerated, _the_ca_is_lost
    ),
    Story(
        "F24",
        "f24-keys-that-some-phones-cannot-use.toml",
        _too_long_a_key_is_found,
        untold="the physics has no key lengths",
    ),
    Story(
        "F25",
        "f25-emcc-not-exchanged-again.toml",
        _not_verified_before("cluster-b", CM, "emcc-exchange", "other-clusters"),
        _nobody_told("cluster-b", CM),
    ),
    Story(
        "F27",
        "f27-finesse-logs-nobody-in.toml",
        _not_verified_before("uccx", TOMCAT, "uccx-trust"),
        _nobody_told("uccx", TOMCAT),
    ),
    Story("F28", "f28-deleted-everywhere.toml", _what_is_in_use_stays, _gone_from_all),
    Story("F29", "f29-lscs-orphaned.toml", _not_before_the_last_lsc, _lscs_are_orphaned),
    Story(
        "F31",
        "f31-bulk-import-fails.toml",
        _not_verified_before("cluster-b", ITLR, "tftp-clusters", "other-clusters"),
        _nobody_told("cluster-b", ITLR),
    ),
    Story(
        "F32",
        "f32-sso-signed-by-itlrecovery.toml",
        _not_verified_before("idp", ITLR, "sso-metadata", "sso-disabled"),
        _nobody_told("idp", ITLR),
    ),
    Story(
        "F33",
        "f33-expired-trust-before-an-upgrade.toml",
        _the_expired_go_beforehand,
        untold="the lab takes no upgrade",
    ),
)


@pytest.mark.parametrize("story", [s for s in STORIES if s.damage], ids=str)
def test_without_the_library_it_goes_as_it_was_reported(story: Story) -> None:
    run_virtual(story.goes_wrong)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_the_library_stops_it(story: Story, tmp_path: Path) -> None:
    run_virtual(lambda: story.is_stopped(tmp_path))
