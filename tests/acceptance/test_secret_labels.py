"""A secret that an exporter says in a label: the fault is found, mended and told, and the secret stands nowhere."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from config.scope import scope_of
from config.secrets import HIDDEN
from daemon.incidents.model import IncidentState
from tests.fakes.parts import SECRETS, Parts, config, rung

SECRET = SECRETS["HOOK"]


def test_a_secret_in_a_label_is_in_no_row_no_page_and_no_call(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    story = Parts(config([rung("mend")]), names=["p0", SECRET], url=f"sqlite:///{path}")
    story.run(20.0)
    story.broken.add(SECRET)
    story.until(3600.0, lambda: bool(story.pages))
    story.broken.clear()
    story.until(3600.0, lambda: all(incident.ended for incident in story.incidents()))
    (incident,) = story.incidents()
    assert incident.scope == scope_of({"provider": HIDDEN})
    assert incident.state is IncidentState.RESOLVED
    with closing(sqlite3.connect(path)) as connection:
        rows = "\n".join(connection.iterdump())
    for told in (rows, json.dumps(story.pages), str(story.calls), story.told()):
        assert SECRET not in told
