"""The post-mortem as JSON: a draft as data, and as Markdown."""

from __future__ import annotations

from pydantic import Field

from daemon.desk.models import Model


class PostmortemFact(Model):
    """`rows`: numbers of the timeline rows it comes from, from 1."""

    name: str
    value: str
    rows: list[int]


class PostmortemSection(Model):
    """`rows`: those its text comes from. `blank`: for people to fill in."""

    title: str
    text: str
    facts: list[PostmortemFact]
    rows: list[int] = Field(default_factory=list)
    blank: bool = False


class PostmortemRow(Model):
    """`evidence`: the facts behind its text."""

    row: int
    at: str
    kind: str
    text: str
    actor: str
    evidence: str = ""


class Postmortem(Model):
    """The draft of the document about an incident, as data and as Markdown.

    `date`: of the first breach (UTC). `review_by`: five business days after the end, `unknown` before it.
    """

    incident: str
    title: str
    status: str
    date: str = "unknown"
    review_by: str = "unknown"
    sections: list[PostmortemSection]
    timeline: list[PostmortemRow]
    markdown: str
