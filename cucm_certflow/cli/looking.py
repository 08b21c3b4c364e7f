"""The commands that look at a cluster before and after certificates: preflight, trust clean-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer

from cucm_certflow.cli.common import (
    ExpiringOption,
    InventoryOption,
    JsonOption,
    PlainOption,
    PseudonymsOption,
    RecordOption,
    SpeedOption,
    UnitOption,
    check_kinds,
    check_new_file,
    policy_of,
    units_of,
    with_cluster,
)
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.following import follow
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.plan_document import print_plan
from cucm_certflow.cli.words import ByOption, SayOption, WordsOption, words_of
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import TrustKey
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import TrustEntry
from cucm_certflow.findings import Finding, Said
from cucm_certflow.journal import Journal
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.partners import tasks_for
from cucm_certflow.words import write_questions

__all__ = ["PreflightDocument", "cleanup_command", "preflight_command"]

_BARRIER_S = 1800.0


@attrs.frozen(kw_only=True)
class PreflightDocument:
    """What a preflight found, for machines.

    Attributes:
        open: Whether anything stops a run until somebody has seen to it or said something about it.
        findings: The worst first.
        said: What people have said.
    """

    open: bool
    findings: tuple[Finding, ...]
    said: tuple[Said, ...]


def preflight_command(
    inventory: InventoryOption,
    unit: UnitOption = None,
    expiring: ExpiringOption = None,
    say: SayOption = None,
    by: ByOption = "",
    words: WordsOption = None,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="Write what is open to a new file, to be filled in."),
    ] = None,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Look at everything that has to be right first, findings by severity. Changes nothing."""

    async def work(cluster: Cluster) -> Exit:
        check_kinds(unit, None, expiring)
        check_new_file(questions, "--questions")
        said = words_of(say, by, words)
        facts = await cluster.discover()
        units = units_of(facts, unit, None, expiring)
        report = await cluster.preflight(
            units=units,
            facts=facts,
            policy=policy_of(tvs_first=False, barrier_within=_BARRIER_S, speed=lab_speed),
            said=said,
        )
        left = report.open(word.item for word in report.said)
        is_open = bool(left)
        if questions is not None:
            spoken = {word.item for word in report.said}
            tasks = tasks_for(units, facts.release, facts.mode)
            write_questions(
                questions,
                left,
                [
                    (task.id, "\n".join((task.question, *task.instructions, str(task.source))))
                    for task in tasks
                    if task.id not in spoken
                ],
            )
        if json:
            document = PreflightDocument(open=is_open, findings=report.in_order(), said=report.said)
            print_document(DocumentKind.PREFLIGHT, document)
        else:
            print(report)
        return Exit.REFUSED if is_open else Exit.DONE

    with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


def cleanup_command(
    inventory: InventoryOption,
    delete: Annotated[
        list[str] | None,
        typer.Option("--delete", help="STORE/FILE to delete, expired or not; repeatable."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", "-j", help="Do it, with this record; else it is only shown."),
    ] = None,
    say: SayOption = None,
    by: ByOption = "",
    words: WordsOption = None,
    json: JsonOption = False,
    plain: PlainOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Show which expired trust certificates can go, or delete them (with --journal)."""

    async def work(cluster: Cluster) -> Exit:
        if journal is not None:
            Journal.check_new(journal)
        said = words_of(say, by, words)
        facts = await cluster.discover()
        stores = await cluster.trust_stores(facts)
        plan = plan_cleanup(
            facts,
            stores,
            delete=_named(stores, delete) if delete else None,
            policy=policy_of(tvs_first=False, barrier_within=_BARRIER_S, speed=lab_speed),
            said=said,
        )
        print_plan(plan, json=json)
        if journal is None or plan.is_refused or not plan.entries:
            return Exit.REFUSED if plan.is_refused else Exit.DONE
        async with cluster.run(plan, journal=journal) as run:
            return await follow(run, journal=journal, clock=cluster.clock, json=json, plain=plain)

    with_cluster(
        inventory,
        lab_speed,
        work,
        json=json,
        record=record,
        pseudonyms=pseudonyms,
        journal=journal,
    )


def _named(
    stores: Mapping[str, Sequence[TrustEntry]], names: Sequence[str]
) -> tuple[TrustKey, ...]:
    """The entries that *names* are about, each ``STORE/FILE``.

    Raises:
        UsageError: No node has such an entry.
    """
    keys = {
        f"{entry.store}/{entry.name}": TrustKey(
            entry.store, entry.certificate.fingerprint, entry.name
        )
        for held in stores.values()
        for entry in held
    }
    strangers = [name for name in names if name not in keys]
    if strangers:
        raise UsageError(
            Report(
                headline="no trust store has what is to be deleted",
                expected="STORE/FILE, for example tomcat-trust/old-ca.pem",
                saw=", ".join(f"{name}{suggestion(name, keys)}" for name in strangers),
                left="nothing was sent",
            )
        )
    return tuple(keys[name] for name in names)
