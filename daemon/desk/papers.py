"""Papers: the documents people take along, from rows to JSON models and from those to something to read or to print.

A paper is made from the model alone, so a remote daemon's answer becomes the same page as a local one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

from daemon.desk import postmortems
from daemon.document import paper
from daemon.document.dossier import Dossier
from daemon.document.paper import Fact, Paper, Section
from daemon.document.postmortem import Postmortem, Row, as_json, changed
from daemon.document.postmortem import paper as paper_of
from daemon.document.postmortem import postmortem as draft
from daemon.incidents.events import Event, Kind
from daemon.store.unit import UnitOfWork

LOOKED_BACK = 86_400.0
"""Seconds before the first breach in which a change of the pipeline may have to do with it."""
DAEMON = "-"

FORMATS: Mapping[str, Callable[[Paper], str]] = {"md": paper.markdown, "html": paper.html}
"""Beside JSON, which is the model."""


def postmortem(uow: UnitOfWork, found: Dossier) -> postmortems.Postmortem:
    """The draft about one incident, with what happened to the daemon and the pipeline meanwhile."""
    document = draft(found, _beside(uow, found))
    text = paper.markdown(paper_of(document))
    return postmortems.Postmortem.model_validate({**as_json(document), "markdown": text})


def of_postmortem(model: postmortems.Postmortem) -> Paper:
    """What a draft looks like on paper."""
    sections = tuple(
        Section(
            section.title,
            section.text,
            tuple(Fact(fact.name, fact.value, tuple(fact.rows)) for fact in section.facts),
            tuple(section.rows),
            blank=section.blank,
        )
        for section in model.sections
    )
    rows = tuple(Row(r.row, r.at, r.kind, r.text, r.actor, r.evidence) for r in model.timeline)
    return paper_of(Postmortem(model.incident, model.title, model.date, model.review_by, sections, rows))


def _beside(uow: UnitOfWork, found: Dossier) -> list[Event]:
    """Oldest first, up to the end of the incident or its newest row."""
    began = found.incident.began_at
    newest = max((event.at for event in found.events), default=found.incident.detected_at)
    end = newest if found.incident.resolved_at is None else found.incident.resolved_at
    own = (
        event for event in uow.timeline.of(DAEMON) if event.kind is Kind.DAEMON and began <= event.at <= end
    )
    recent = reversed(uow.pipeline.recent(began - LOOKED_BACK))
    changes = (changed(change) for change in recent if change.at <= end)
    return [*heapq.merge(own, changes, key=lambda event: event.at)]
