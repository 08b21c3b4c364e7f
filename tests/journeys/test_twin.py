"""A twin of what was observed: rehearsed, it tells what the run on the cluster will send."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cucm_certflow import CertUnit, ClusterFacts, Policy, Said, UsageError, Verified
from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.durations import measured_s
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import ListView, Phone, Registration
from cucm_certflow.journal import Journal
from cucm_certflow.lab.rehearsal import Rehearsal, rehearse
from cucm_certflow.lab.scenario import PhoneState, Scenario
from cucm_certflow.lab.twin import ASSUMED, Twin, twin_of
from cucm_certflow.names import Release, Service
from cucm_certflow.procedures.vocabulary import Stage as RowStage
from cucm_certflow.testing import Stage, play
from cucm_certflow.testing.strategies import clusters, units_in, wishes
from tests.documents import document

SCENARIOS: Final = Path(__file__).parents[2] / "examples" / "scenarios"
SEED: Final = 214231
BOTH: Final = (CertUnit.CALLMANAGER, CertUnit.TVS)
WITHOUT_ITL: Final = Said(item="security-by-default", by="A. Person", why="seen to by hand")


async def discovered(stage: Stage) -> ClusterFacts:
    return await stage.cluster.discover()


def observed(scenario: Scenario | Path) -> ClusterFacts:
    return play(scenario, discovered)


def twin_from(scenario: Scenario | Path) -> Twin:
    return twin_of(observed(scenario))


def run_on(
    scenario: Scenario | Path,
    units: tuple[CertUnit, ...],
    folder: Path,
    *,
    policy: Policy | None = None,
    waive: Iterable[str] = (),
    said: tuple[Said, ...] = (),
) -> tuple[Plan, list[tuple[str, str]]]:
    """The plan for *scenario* itself, and every changing command that its cluster took."""

    async def story(stage: Stage) -> tuple[Plan, list[tuple[str, str]]]:
        facts = await stage.cluster.discover()
        look = await stage.cluster.preflight(units=units, facts=facts, policy=policy, said=said)
        answers = [Said(item=f.check, by="A. Person", why="yes") for f in look.open() if f.asked]
        words = (*said, *answers)
        look = await stage.cluster.preflight(units=units, facts=facts, policy=policy, said=words)

        def planned(more: tuple[Said, ...]) -> Plan:
            return make_plan(
                facts,
                units=units,
                policy=policy,
                waive=waive,
                preflight=look,
                said=(*words, *more),
            )

        tasks = planned(()).tasks
        plan = planned(tuple(Said(item=t.id, by="A. Person", why="none here") for t in tasks))
        if not plan.is_refused:
            async with stage.cluster.run(plan, journal=folder / "run.journal") as run:
                await run.wait()
        return plan, [(each.node, each.text) for each in stage.lab.log]

    return play(scenario, story)


def sent(rehearsal: Rehearsal) -> list[tuple[str, str]]:
    return [(each.node, each.text) for each in rehearsal.sent]


# ── the same commands ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["main-job", "small"])
def test_rehearsal_sends_what_the_run_sends(name: str, tmp_path: Path) -> None:
    path = SCENARIOS / f"{name}.toml"
    scenario = Scenario.load(path)
    off = [p.device.name for p in scenario.each_phone() if p.state is PhoneState.OFF]
    said = (WITHOUT_ITL,) if name == "main-job" else ()
    plan, commands = run_on(path, BOTH, tmp_path, waive=off, said=said)
    twin = twin_from(path)
    rehearsal = rehearse(Scenario.loads(twin.text()), units=BOTH, waive=off, said=said)
    assert not plan.is_refused
    assert twin.differences == ()
    assert sent(rehearsal) == commands
    assert len(commands) > 20


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@seed(SEED)
@given(st.data())
def test_rehearsal_on_the_twin_of_any_cluster_sends_what_the_run_sends(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    scenario = data.draw(clusters(wrong=False))
    wish = data.draw(wishes(scenario))
    off = [p.device.name for p in scenario.each_phone() if p.state is PhoneState.OFF]
    plan, commands = run_on(scenario, wish, tmp_path_factory.mktemp("run"), waive=off)
    rehearsal = rehearse(Scenario.loads(twin_from(scenario).text()), units=wish, waive=off)
    assert rehearsal.plan.is_refused == plan.is_refused
    assert [step.id for step in rehearsal.plan.steps] == [step.id for step in plan.steps]
    if not any(phone.state is PhoneState.IN_A_CALL for phone in scenario.each_phone()):
        assert per_node(sent(rehearsal)) == per_node(commands)


def per_node(commands: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What each node is sent, in order: two nodes may be at work at once, in either order."""
    found: dict[str, list[str]] = {}
    for node, text in commands:
        found.setdefault(node, []).append(text)
    return found


# ── the file ──────────────────────────────────────────────────────────────────────────────


@settings(max_examples=60, deadline=None)
@seed(SEED)
@given(clusters(wrong=False, strange=True))
def test_twin_of_any_cluster_reads_back_and_is_a_twin_of_itself(scenario: Scenario) -> None:
    twin = twin_from(scenario)
    again = Scenario.loads(twin.text())
    assert again == twin.scenario
    assert twin_of(observed(again)).scenario == again


def test_twin_says_what_nobody_observed_and_holds_no_secret() -> None:
    scenario = Scenario.load(SCENARIOS / "main-job.toml")
    text = twin_of(observed(scenario)).text()
    for assumption in ASSUMED:
        assert assumption in text
    for account in (scenario.accounts.platform, scenario.accounts.application):
        assert account.password not in text
        assert f'"{account.user}"' not in text


def test_phones_that_cannot_be_told_apart_are_one_table_with_their_names() -> None:
    scenario = Scenario.load(SCENARIOS / "main-job.toml")
    twin = twin_from(scenario).scenario
    assert len(twin.phones) == len(scenario.phones)
    assert {name for spec in twin.phones for name in spec.names} == {
        phone.device.name for phone in scenario.each_phone()
    }


def test_twin_of_a_large_cluster_grows_with_what_differs_and_not_with_the_phones() -> None:
    small = Scenario.load(SCENARIOS / "small.toml")
    many = attrs.evolve(small, phones=(attrs.evolve(small.phones[0], count=40_000),))
    assert len(twin_from(many).scenario.phones) == len(twin_from(small).scenario.phones) == 1


def test_names_that_do_not_count_on_and_device_classes_other_than_sep_are_kept() -> None:
    facts = observed(SCENARIOS / "small.toml")
    names = ["CSFANNA", "SEPF0F755AB0012", "SEP00112233AAAA", "ATA-7.port_1"]
    phones = tuple(attrs.evolve(facts.phones[0], name=name) for name in names)
    seen = {name: Registration(name, registered=True, node="sub") for name in names[:2]}
    twin = twin_of(attrs.evolve(facts, phones=phones, registrations=seen))
    shown = observed(Scenario.loads(twin.text()))
    assert [phone.name for phone in shown.phones] == sorted(names)
    assert {n for n, r in shown.registrations.items() if r.registered} == set(names[:2])


# ── what the lab has no words for ─────────────────────────────────────────────────────────


def changed(facts: ClusterFacts, node: str, **changes: Any) -> ClusterFacts:  # noqa: ANN401 - any field
    nodes = tuple(attrs.evolve(n, **changes) if n.name == node else n for n in facts.nodes)
    return attrs.evolve(facts, nodes=nodes)


def stranger(view: ListView | None) -> ListView:
    assert view is not None
    return view._replace(sast=view.sast | {"f" * 64})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"release": Release.parse("10.5")}, "sub: release: (10, 5) there, (11, 5) here"),
        ({"itl": None}, "sub: ITL, SAST: nothing there"),
    ],
)
def test_what_the_twin_cannot_be_is_named_in_the_file(changes: dict[str, Any], named: str) -> None:
    twin = twin_of(changed(observed(SCENARIOS / "small.toml"), "sub", **changes))
    assert any(text.startswith(named) for text in twin.differences), twin.differences
    assert named in twin.text()


def test_node_runs_on_the_twin_what_it_runs_on_the_cluster() -> None:
    facts = observed(SCENARIOS / "small.toml")
    state = facts.nodes[0].services[Service.CALLMANAGER]
    alone = changed(facts, "sub", services={Service.CALLMANAGER: state}, itl=None, ctl=None)
    assert twin_of(alone).scenario.node("sub").services == (Service.CALLMANAGER,)


def test_list_with_a_certificate_that_is_no_more_is_named() -> None:
    facts = observed(SCENARIOS / "small.toml")
    sub = next(node for node in facts.nodes if node.name == "sub")
    twin = twin_of(changed(facts, "sub", itl=stranger(sub.itl)))
    assert any(
        "sub: ITL, SAST: " in t and "1 that are no more there" in t for t in twin.differences
    )


def test_cluster_that_the_lab_cannot_be_has_no_twin_and_the_error_says_what_to_do() -> None:
    facts = observed(SCENARIOS / "small.toml")
    nameless = changed(facts, "sub", name="sub with a space")
    with pytest.raises(UsageError) as raised:
        twin_of(nameless)
    assert "nodes[1].name" in str(raised.value) or "a host name" in str(raised.value)
    assert "certflow plan" in str(raised.value)


@pytest.mark.parametrize(
    ("subject", "missing"),
    [
        ("C=US;O=Example;CN=SUB.lab.example;L=Lab", False),
        ("C=US,O=Example,CN=sub.lab.example", False),
        ("C=US;O=Example;CN=other.lab.example", True),
    ],
)
def test_name_that_a_certificate_lacks_is_found_as_the_preflight_finds_it(
    subject: str, missing: bool
) -> None:
    facts = observed(SCENARIOS / "small.toml")
    sub = next(node for node in facts.nodes if node.name == "sub")
    shown = attrs.evolve(
        sub.certificates[CertUnit.TOMCAT], subject=subject, names=("sub.lab.example",)
    )
    certificates = {**sub.certificates, CertUnit.TOMCAT: shown}
    twin = twin_of(changed(facts, "sub", certificates=certificates)).scenario
    given = [spec for spec in twin.certificates if spec.unit is CertUnit.TOMCAT]
    assert any(spec.name_missing for spec in given if spec.node in (None, "sub")) is missing


def test_special_certificates_and_old_lists_come_along() -> None:
    text = (SCENARIOS / "small.toml").read_text(encoding="utf-8")
    text += '[[certificates]]\nunit = "tomcat"\nmulti_server = true\nca_signed = true\n'
    text += (
        '[[certificates]]\nunit = "TVS"\nnode = "sub"\nexpires_in_days = 12.5\nkey_bits = 1024\n'
    )
    text += '[served]\nitl_tvs = "old"\n'
    twin = twin_from(Scenario.loads(text))
    assert twin.differences == ()
    by_unit = {spec.unit: spec for spec in twin.scenario.certificates if spec.node in (None, "sub")}
    assert by_unit[CertUnit.TOMCAT].multi_server
    assert by_unit[CertUnit.TOMCAT].ca_signed
    tvs = by_unit[CertUnit.TVS]
    assert (tvs.node, tvs.expires_in_days, tvs.key_bits) == ("sub", 12.5, 1024)
    assert twin.scenario.served == Scenario.loads(text).served


# ── the rehearsal ─────────────────────────────────────────────────────────────────────────


def test_rehearsal_tells_when_what_how_long_and_who_is_at_risk(tmp_path: Path) -> None:
    path = SCENARIOS / "main-job.toml"
    off = [
        phone.device.name
        for phone in Scenario.load(path).each_phone()
        if phone.state is PhoneState.OFF or not phone.device.security_by_default
    ]
    run_on(path, BOTH, tmp_path, waive=off, said=(WITHOUT_ITL,))
    written = Journal.read(tmp_path / "run.journal")
    rehearsal = rehearse(
        path,
        units=BOTH,
        waive=off,
        said=(WITHOUT_ITL,),
        measured_s=measured_s(written.plan, written.records),
    )
    assert isinstance(rehearsal.outcome, Verified)
    assert all(step.expected_s is not None for step in rehearsal.steps)
    assert rehearsal.expected_s is not None
    assert rehearsal.expected_s > 1_000
    assert rehearsal.unmeasured == ()
    times = [step.sent_s for step in rehearsal.steps if step.sent_s is not None]
    assert times == sorted(times)
    text = str(rehearsal)
    assert "5 phones (SEP001122380001, " in text
    assert "if it stays away until window 2 is done, it trusts nobody" in text
    assert "only `utils ctl reset localkey` helps" in text
    assert "itlrecovery-exported: " in text


def test_without_earlier_journals_nobody_knows_how_long_it_takes() -> None:
    rehearsal = rehearse(SCENARIOS / "small.toml", units=BOTH)
    assert rehearsal.expected_s is None
    assert "nobody knows" in str(rehearsal)


def test_refused_plan_is_not_rehearsed_and_says_why() -> None:
    rehearsal = rehearse(SCENARIOS / "small.toml", windows=[BOTH])
    assert rehearsal.plan.is_refused
    assert rehearsal.outcome is None
    assert rehearsal.sent == ()
    assert "REFUSED" in str(rehearsal)


def test_approvals_are_taken_as_given_and_named() -> None:
    policy = Policy(approve=frozenset({RowStage.RESTART}))
    rehearsal = rehearse(SCENARIOS / "small.toml", units=BOTH, policy=policy)
    assert rehearsal.went_well
    assert rehearsal.approvals == ("restart",)
    assert "taken as approved: restart" in str(rehearsal)


def test_two_rehearsals_are_the_same(tmp_path: Path) -> None:
    journals = [tmp_path / "one.journal", tmp_path / "two.journal"]
    told = [str(rehearse(SCENARIOS / "small.toml", units=BOTH, journal=j)) for j in journals]
    assert told[0] == told[1]
    assert journals[0].read_bytes() == journals[1].read_bytes()


def test_every_unit_of_a_cluster_can_be_rehearsed() -> None:
    scenario = Scenario.load(SCENARIOS / "small.toml")
    units = [unit for unit in units_in(scenario) if unit is not CertUnit.CAPF]  # it does not run
    rehearsal = rehearse(scenario, units=units)
    assert rehearsal.went_well, str(rehearsal)


# ── the command ───────────────────────────────────────────────────────────────────────────


def certflow(*words: str) -> Any:  # noqa: ANN401 - typer's own
    return CliRunner().invoke(app, [*words])


def test_command_ends_as_the_run_would() -> None:
    small = str(SCENARIOS / "small.toml")
    assert certflow("rehearse", small, "-u", "TVS").exit_code == Exit.DONE
    assert certflow("rehearse", small, "-w", "CallManager,TVS").exit_code == Exit.REFUSED
    assert certflow("rehearse", small).exit_code == Exit.USAGE
    assert certflow("rehearse", "no-such.toml", "-u", "TVS").exit_code == Exit.USAGE


def test_json_has_every_step_with_its_durations() -> None:
    result = certflow("rehearse", str(SCENARIOS / "small.toml"), "-u", "TVS", "--json")
    found = document(result.stdout, "rehearsal")
    assert [step["id"] for step in found["steps"]] == [
        step["id"] for window in found["plan"]["windows"] for step in window["steps"]
    ]
    assert all(step["proved_s"] > step["sent_s"] for step in found["steps"])
    assert found["lost"] == []


def test_phone_without_a_profile_of_its_own_keeps_that_of_its_model() -> None:
    facts = observed(SCENARIOS / "small.toml")
    bare = Phone(name="SEP001122330001", model="Cisco 8861", group=("sub", "pub"))
    twin = twin_of(attrs.evolve(facts, phones=(bare,), registrations={}))
    assert twin.differences == ()
