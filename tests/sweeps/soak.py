"""The soak: a random cluster, random units and random faults for each seed, on the virtual clock.

``python -m tests.sweeps.soak 1 20`` tells seeds 1 to 20 and prints a line for each: the seed, how
it ended, and the SHA-256 of its journal. Any supported Python prints the same lines.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import attrs

from cucm_certflow.commands import Command, Regenerate, RestartService
from cucm_certflow.lab.every_fault import every_fault
from cucm_certflow.lab.scenario import FaultKind, Scenario
from cucm_certflow.lab.scenario_faults import interface_of
from cucm_certflow.names import CertUnit, Release, Service
from cucm_certflow.procedures.policies import CapfWindow, Policy, UnitOrder
from cucm_certflow.testing.strategies import units_in
from tests.sweeps.faults import MEDDLING
from tests.sweeps.story import POLICY, Subject, tell
from tests.sweeps.tally import Heard, heard

__all__ = ["random_policy", "random_subject", "random_text", "soaked"]

_RELEASES: Final = ("8.6", "9.1", "10.5", "11.5", "12.5", "14", "14SU2", "15")
_MODELS: Final = ("Cisco 7841", "Cisco 8861", "Cisco 6941")
_LOOKS: Final = (
    "show cert own",
    "show itl",
    "show ctl",
    "utils service list",
    "https 8443",
    "selectCmDeviceExt",
    "executeSQLQuery",
)
_SERVICES: Final = ("Cisco Tomcat", "Cisco CallManager", "Cisco Tftp", "Cisco Trust Verification")
_EVENTFUL: Final = 0.4
"""The share of the seeds in which something happens to the cluster, the phones or the driver."""


def random_text(seed: int) -> str:
    """The scenario of *seed*, as a file would have it."""
    return "\n".join(_lines(random.Random(f"scenario {seed}"), seed))


def _lines(chance: random.Random, seed: int) -> Iterator[str]:
    release = chance.choice(_RELEASES)
    parsed = Release.parse(release)
    # Below 10.0 a person signs the CTL by a token: no story for a person who only waits.
    may_be_mixed = parsed.short >= (10, 0)
    is_mixed = may_be_mixed and chance.random() < 0.6
    yield f'name = "soak-{seed}"'
    yield f'release = "{release}"'
    yield f'mode = "{"mixed" if is_mixed else "non-secure"}"'
    yield f"seed = {chance.randrange(10**6)}"
    if parsed.short >= (11, 5) and chance.random() < 0.3:
        yield "ecdsa = true"
    names = ["pub", *(f"sub{number}" for number in range(1, chance.randint(1, 3) + 1))]
    serving = names[1:] if len(names) > 2 and chance.random() < 0.5 else names
    capf = parsed.short >= (14, 0) or is_mixed or chance.random() < 0.5
    for number, name in enumerate(names):
        services = ["callmanager", "cti", "tftp"] if name in serving else []
        services += ["tvs", *(["capf"] if capf and not number else [])]
        yield "[[nodes]]"
        yield f'name = "{name}"'
        yield f'address = "127.0.0.{11 + number}"'
        yield f"publisher = {'false' if number else 'true'}"
        yield f"services = [{_quoted(services)}]"
    if chance.random() < 0.2:
        yield '[[nodes]]\nname = "imp"\naddress = "127.0.0.30"\nproduct = "cups"'
    for _ in range(chance.randint(1, 4)):
        yield "[[phones]]"
        yield f"count = {chance.randint(1, 3)}"
        yield f'model = "{chance.choice(_MODELS)}"'
        yield f"group = [{_quoted(_some(chance, serving, 3))}]"
        yield f"tftp = [{_quoted(_some(chance, serving, 2))}]"
        if is_mixed and chance.random() < 0.5:
            yield f'security = "{chance.choice(("Authenticated", "Encrypted"))}"'
        state = chance.choices(("on", "off", "in a call"), (8, 1, 1))[0]
        yield f'state = "{state}"'
        if state == "in a call":
            yield f"call_s = {chance.randint(60, 4000)}"
    yield "[timing]"
    yield f"jitter = {chance.choice((0.0, 0.1, 0.5))}"
    yield f"ctl_lag_default_s = {chance.choice((1, 3, 40))}"
    yield f"phone_boot_s = [40, {chance.choice((60, 150, 400))}]"
    if parsed.short >= (14, 0):
        yield "[variant]"
        yield f"phones_reset_by_themselves = {chance.choice(('true', 'false'))}"
    for _ in range(chance.choices((0, 1, 2, 3), (1, 4, 3, 2))[0]):
        command = _command(chance)
        where = interface_of(command)
        kinds = [kind for kind in FaultKind if not kind.interfaces or where in kind.interfaces]
        yield "[[faults]]"
        yield f'kind = "{chance.choice(kinds).value}"'
        yield f'command = "{command}"'
        yield f"nth = {chance.choices((1, 2, 3, 7), (4, 2, 2, 1))[0]}"
        yield f"times = {chance.choices((1, 2, 30), (6, 3, 1))[0]}"
        # No longer than a command may take (settle_s of the tables): what comes later than that
        # cannot be told from what never comes.
        yield f"late_s = {chance.choice((5, 60, 150))}"
        if chance.random() < 0.5:
            yield f'node = "{chance.choice(names)}"'


def _command(chance: random.Random) -> str:
    regenerate = f"set cert regen {chance.choice(('tomcat', 'CallManager', 'TVS', 'CAPF'))}"
    restart = f"utils service restart {chance.choice(_SERVICES)}"
    rare = chance.choice(("utils ctl update CTLFile", "doDeviceReset", "set cert regen"))
    return chance.choice((regenerate, regenerate, restart, rare, chance.choice(_LOOKS)))


def _some(chance: random.Random, names: Sequence[str], most: int) -> list[str]:
    return chance.sample(names, min(len(names), chance.randint(1, most)))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def random_subject(seed: int) -> Subject:
    """The cluster of *seed*, and units that it has."""
    scenario = Scenario.loads(random_text(seed))
    chance = random.Random(f"units {seed}")
    there = units_in(scenario)
    anchors = [CertUnit.CALLMANAGER, CertUnit.TVS]
    units = set(chance.sample(there, min(len(there), chance.randint(1, 3))))
    if chance.random() < 0.7:
        units |= set(anchors)
    return Subject(_eventful(scenario, seed), tuple(unit for unit in CertUnit if unit in units))


def _eventful(scenario: Scenario, seed: int) -> Scenario:
    """*scenario*, perhaps with an event at one of the commands that most runs send."""
    chance = random.Random(f"event {seed}")
    if chance.random() >= _EVENTFUL:
        return scenario
    nodes = [node.name for node in scenario.nodes if Service.TFTP in node.activated]
    commands: list[Command] = []
    for node in nodes:
        commands += [Regenerate(node, CertUnit.CALLMANAGER), Regenerate(node, CertUnit.TVS)]
        commands += [RestartService(node, Service.TVS), RestartService(node, Service.TFTP)]
    quiet = attrs.evolve(scenario, faults=())
    eventful = [case for case in every_fault(quiet, commands) if case.scenario.events]
    kinds = list(dict.fromkeys(case.scenario.events[0].kind for case in eventful))
    kind = chance.choice(kinds)  # first, so that each is as likely as another
    event = chance.choice([c for c in eventful if c.scenario.events[0].kind is kind])
    return attrs.evolve(scenario, events=event.scenario.events)


def random_policy(seed: int) -> Policy:
    """Choices that are all safe."""
    chance = random.Random(f"policy {seed}")
    return Policy(
        order=chance.choice(list(UnitOrder)),
        capf=chance.choice(list(CapfWindow)),
        reset_batch=chance.choice((1, 2, 100)),
        poll_every_s=chance.choice((10.0, 15.0, 30.0)),
        barrier_within_s=POLICY.barrier_within_s,
        watch_every_s=POLICY.watch_every_s,
    )


def soaked(seed: int) -> Heard:
    """The story of *seed*."""
    what = random_subject(seed)
    kind = f"{what.scenario.release} {what.scenario.mode.name.lower()}"
    telling = partial(
        tell,
        what,
        policy=random_policy(seed),
        seed=seed,
        others_may_lose=any(event.kind in MEDDLING for event in what.scenario.events),
    )
    return heard(f"soak seed {seed}", kind, telling)


def main(first: int, last: int) -> None:
    """Print a line for each seed from *first* to *last*."""
    for seed in range(first, last + 1):
        one = soaked(seed)
        print(seed, one.end, one.digest)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
