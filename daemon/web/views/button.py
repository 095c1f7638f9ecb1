"""Button: one order as a page offers it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One input of an order. `choices`: (value, text); none: a line of text."""

    name: str
    label: str
    needed: bool = False
    value: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    long: bool = False


@dataclass(frozen=True, slots=True)
class Button:
    """One order. `ask`: the question that is asked once before it goes; empty where there is nothing to ask.

    `weight`: first (what to do now) | plain | grave (disrupts, or hides something). `hidden`: arguments that go along.
    `tag`: sets it apart from another of its kind on one page.
    """

    kind: str
    label: str
    effect: str
    command: str
    ask: str = ""
    fields: tuple[Field, ...] = ()
    weight: str = "plain"
    hidden: tuple[tuple[str, str], ...] = ()
    tag: str = ""


WHY = Field("reason", "Why (goes on the timeline)")
