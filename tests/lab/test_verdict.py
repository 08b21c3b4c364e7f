"""The verdict: which phones are lost, by what, and what brings them back."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from cucm_certflow.cli.documents import DocumentKind, as_document
from cucm_certflow.lab.chronicle import Executed
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.happenings import Happened
from cucm_certflow.lab.physics.judge import health
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.testing import verdict as module
from cucm_certflow.testing.verdict import Away, Health, OldProcess, Regenerated, verdict_of
from tests.documents import document
from tests.lab.small import OFF, PHONE, SECURE, HandClock, cluster, scenario

ALL = tuple(f"SEP00112233000{number}" for number in range(1, 7))
NODES = ("pub", "sub")


class Hands:
    """Somebody at the lab who does one thing after the other."""

    def __init__(self, *, more: str = "", **keys: str) -> None:
        self.lab, self.clock = cluster(more=more, **keys)

    def done(self, begin: Callable[..., datetime], *args: object) -> None:
        end = begin(*args)
        self.clock.turn((end - self.clock.now()).total_seconds())

    def regenerate(self, unit: CertUnit) -> None:
        for node in NODES:
            self.done(self.lab.begin_regenerate, node, unit)

    def restart(self, service: Service) -> None:
        for node in NODES:
            self.done(self.lab.begin_restart, node, service)

    def reset_phones(self) -> None:
        for phone in ALL:
            self.lab.reset_phone(phone)
        self.clock.turn(1800)


def both_at_once(hands: Hands) -> None:
    hands.regenerate(CertUnit.CALLMANAGER)
    hands.regenerate(CertUnit.TVS)
    hands.restart(Service.TVS)


def test_a_lab_that_nobody_touched_is_clean() -> None:
    lab, _ = cluster()
    verdict = verdict_of(lab)
    assert verdict.is_clean
    assert not verdict.lost
    assert verdict.missing == ((Away.OFF, False, (OFF,)),)
    assert (verdict.regenerated, verdict.old_processes, verdict.commands) == ((), (), ())
    assert "lost: none of 6 phones" in str(verdict)


def test_the_restart_of_tvs_is_blamed_that_left_phones_without_any_anchor() -> None:
    hands = Hands()
    both_at_once(hands)
    verdict = verdict_of(hands.lab)
    last = hands.lab.log[-1]
    assert last.text == "utils service restart Cisco Trust Verification Service"
    assert last.node == "sub"
    assert set(verdict.lost) == set(ALL)
    assert {loss.by for loss in verdict.losses} == {last}
    assert not verdict.is_clean
    assert f"{last.text} on sub, sent at {last.at:%H:%M:%S}" in str(verdict)


def test_one_regenerated_at_a_time_with_phones_in_between_loses_none() -> None:
    hands = Hands(release='"12.5.1.11900-146"')
    hands.regenerate(CertUnit.TVS)
    hands.restart(Service.TVS)
    hands.restart(Service.TFTP)
    hands.reset_phones()
    verdict = verdict_of(hands.lab)
    assert not verdict.losses
    assert verdict.behind == (OFF,)
    assert "back by ordinary restarts" in str(verdict)


def test_a_slow_command_is_blamed_and_not_the_one_that_was_sent_last() -> None:
    hands = Hands()
    hands.regenerate(CertUnit.CALLMANAGER)
    hands.regenerate(CertUnit.TVS)
    hands.done(hands.lab.begin_restart, "pub", Service.TVS)
    hands.lab.begin_restart("sub", Service.TVS)
    guilty = hands.lab.log[-1]
    hands.lab.begin_regenerate("imp", CertUnit.CUP)
    hands.clock.turn(3600)
    verdict = verdict_of(hands.lab)
    assert hands.lab.log[-1].text == "set cert regen cup"
    assert {loss.by for loss in verdict.losses} == {guilty}


def test_localkey_brings_phones_back_and_they_are_told_as_lost_earlier() -> None:
    hands = Hands()
    both_at_once(hands)
    needing = {
        n for n, loss in verdict_of(hands.lab).lost.items() if loss.remedy is Health.NEEDS_LOCALKEY
    }
    assert needing
    hands.done(hands.lab.begin_localkey, "pub", ListKind.ITL)
    hands.done(hands.lab.begin_localkey, "pub", ListKind.CTL)
    hands.clock.turn(60)
    hands.reset_phones()
    verdict = verdict_of(hands.lab)
    back = needing - set(verdict.lost)
    assert PHONE in back
    earlier = {name for loss in verdict.earlier for name in loss.phones}
    assert back <= earlier
    assert "lost earlier" in str(verdict)


def test_a_second_blow_is_told_beside_the_first() -> None:
    hands = Hands()
    both_at_once(hands)
    hands.regenerate(CertUnit.ITLRECOVERY)
    verdict = verdict_of(hands.lab)
    loss = verdict.lost[PHONE]
    assert loss.remedy is Health.HAND_DELETE
    assert isinstance(loss.by, Executed)
    assert loss.by.text == "set cert regen ITLRecovery"
    first = next(each for each in verdict.earlier if PHONE in each.phones)
    assert first.remedy is Health.NEEDS_LOCALKEY
    assert isinstance(first.by, Executed)
    assert first.by.text.startswith("utils service restart")


def test_an_event_of_the_scenario_is_named() -> None:
    event = '\n[[events]]\nkind = "phones locked"\nat_s = 60\n'
    hands = Hands(more=event)
    hands.clock.turn(120)
    verdict = verdict_of(hands.lab)
    assert set(verdict.lost) == set(ALL)
    (loss,) = verdict.losses
    assert isinstance(loss.by, Happened)
    assert loss.remedy is Health.HAND_DELETE
    assert "an event of the scenario: phones locked" in str(verdict)


def test_what_was_so_when_the_story_began_is_blamed_on_nobody() -> None:
    foreign = (
        '\n[[phones]]\nmodel = "Cisco 7841"\ngroup = ["pub"]\ntftp = ["pub"]\nlists = "foreign"\n'
    )
    lab, _ = cluster(more=foreign)
    verdict = verdict_of(lab)
    (loss,) = verdict.losses
    assert loss.by is None
    assert loss.at == lab.began
    assert "it was so when it began" in str(verdict)


def test_phones_that_are_not_registered_are_told_with_the_reason() -> None:
    hands = Hands()
    hands.regenerate(CertUnit.CALLMANAGER)  # and no CTL update
    hands.restart(Service.CALLMANAGER)
    hands.lab.power(PHONE, on=False)
    hands.clock.turn(30)
    verdict = verdict_of(hands.lab)
    why = {name: (each.why, each.was) for each in verdict.missing for name in each.phones}
    assert why[PHONE] == (Away.OFF, True)
    assert why[OFF] == (Away.OFF, False)
    assert PHONE in verdict.gone
    assert OFF not in verdict.gone
    assert not verdict.is_clean
    for node in NODES:
        hands.done(hands.lab.begin_stop, node, Service.CALLMANAGER)
    hands.clock.turn(600)
    assert Away.NO_CALLMANAGER in {each.why for each in verdict_of(hands.lab).missing}


def test_a_secure_phone_without_the_new_certificate_is_not_registered_and_not_lost_by_lists() -> (
    None
):
    more = "\n[variant]\ntvs_vouches_for_registration = false\n"
    hands = Hands(more=more)
    hands.done(hands.lab.begin_regenerate, "sub", CertUnit.CALLMANAGER)
    hands.done(hands.lab.begin_restart, "sub", Service.CALLMANAGER)
    hands.clock.turn(300)
    verdict = verdict_of(hands.lab)
    assert (Away.CERTIFICATE, True, (SECURE,)) in verdict.missing
    assert SECURE not in verdict.lost


def test_what_was_regenerated_and_not_restarted_is_told() -> None:
    hands = Hands()
    hands.done(hands.lab.begin_regenerate, "sub", CertUnit.CALLMANAGER)
    hands.done(hands.lab.begin_regenerate, "sub", CertUnit.CALLMANAGER)
    verdict = verdict_of(hands.lab)
    assert verdict.regenerated == (Regenerated("sub", CertUnit.CALLMANAGER, 2),)
    assert set(verdict.old_processes) == {
        OldProcess("sub", Service.CALLMANAGER),
        OldProcess("sub", Service.TFTP),
    }
    assert "regenerated 2 times: CallManager on sub" in str(verdict)
    assert "not restarted since its certificate is new: Cisco Tftp on sub" in str(verdict)


def test_resets_of_many_phones_are_one_line() -> None:
    hands = Hands()
    hands.done(hands.lab.begin_restart, "sub", Service.TFTP)
    hands.reset_phones()
    lines = [line.split(" ", 3)[-1] for line in str(verdict_of(hands.lab)).splitlines()[-2:]]
    assert lines[0].endswith("sub: utils service restart Cisco Tftp")
    assert lines[1].endswith("doDeviceReset, 6 phones")


def test_the_verdict_is_json() -> None:
    hands = Hands()
    both_at_once(hands)
    read = document(as_document(DocumentKind.VERDICT, verdict_of(hands.lab)), "verdict")
    assert read["losses"][0]["by"]["text"].startswith("utils service restart")
    assert read["regenerated"][0] == {"node": "pub", "times": 1, "unit": "CallManager"}


# ── against the judge, phone by phone ─────────────────────────────────────────────────────


def drive(lab: LabCluster, clock: HandClock, seed: int) -> None:
    chance = random.Random(seed)
    units = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
    services = (Service.TVS, Service.TFTP, Service.CALLMANAGER)
    owners = {unit: [n for n in NODES if lab.layout.has(unit, n)] for unit in units}
    for _ in range(chance.randint(8, 16)):
        match chance.randrange(5):
            case 0 | 1:
                unit = chance.choice(units)
                for node in owners[unit]:
                    lab.begin_regenerate(node, unit)
            case 2 | 3:
                service = chance.choice(services)
                for node in NODES:
                    lab.begin_restart(node, service)
            case _:
                for phone in chance.sample(ALL, 3):
                    lab.reset_phone(phone)
        clock.turn(chance.choice((1, 15, 60, 400)))


@pytest.mark.parametrize("release", ['"11.5.1.12900-21"', '"12.5.1.11900-146"'])
def test_every_phone_gets_what_the_judge_says_of_it_alone(release: str) -> None:
    seen = set()
    for seed in range(16):
        lab, clock = cluster(release=release)
        drive(lab, clock, seed)
        verdict = verdict_of(lab)
        world = lab.world
        for index, kind in enumerate(lab.kinds):
            expected = health(lab.layout, lab.kinds, world, index)
            assert verdict.remedy(kind.name) is expected, (seed, kind.name)
            seen.add(expected)
    assert len(seen) == 3


class WatchedClock(HandClock):
    """Looks at the lab once, at *instant*, however far it is turned."""

    def __init__(self, instant: datetime) -> None:
        super().__init__()
        self.stop = instant
        self.look: Callable[[], object] = lambda: None

    def turn(self, seconds: float) -> None:
        end = self.instant + timedelta(seconds=seconds)
        if self.instant < self.stop <= end:
            self.instant = self.stop
            self.look()
        self.instant = end


def health_at(instant: datetime, seed: int) -> dict[str, Health]:
    """What the judge says of every phone, when the story of *seed* is told again up to then."""
    clock = WatchedClock(instant)
    lab = LabCluster(scenario(), clock)
    found: dict[str, Health] = {}

    def look() -> None:
        world = lab.world
        for index, kind in enumerate(lab.kinds):
            found[kind.name] = health(lab.layout, lab.kinds, world, index)

    clock.look = look
    drive(lab, clock, seed)
    return found


def test_phones_have_ordinary_means_until_the_instant_that_is_blamed_and_none_from_then_on() -> (
    None
):
    told = 0
    for seed in range(24):
        lab, clock = cluster()
        drive(lab, clock, seed)
        verdict = verdict_of(lab)
        struck_before = {name for loss in verdict.earlier for name in loss.phones}
        for loss in verdict.losses:
            phones = set(loss.phones) - struck_before
            if not phones:
                continue
            before = health_at(loss.at - timedelta(microseconds=1), seed)
            after = health_at(loss.at, seed)
            assert {before[name] for name in phones} == {Health.OK}, seed
            assert any(after[name] is not Health.OK for name in phones), seed
            assert loss.by is not None
            assert loss.by.at <= loss.at
            told += 1
    assert told > 5


def test_the_cost_does_not_grow_with_the_number_of_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def counting(*args: object) -> Health:
        counted.append(1)
        return health(*args)  # type: ignore[arg-type]  # - as they came

    monkeypatch.setattr(module, "health", counting)
    counts = []
    for many in (10, 2000):
        more = (
            f'\n[[phones]]\ncount = {many}\nmodel = "Cisco 7841"\ngroup = ["sub"]\ntftp = ["sub"]\n'
        )
        hands = Hands(more=more)
        both_at_once(hands)
        hands.restart(Service.TFTP)
        counted.clear()
        verdict = verdict_of(hands.lab)
        assert len(verdict.lost) == 6 + many
        counts.append(len(counted))
    assert counts[0] == counts[1]
