"""The API's own code for a live answer; each worker loads it anew when the file changes."""

import threading

COMPOSE_S = 0.03  # composing an answer takes a worker this long


def render(record: dict[str, object], address: str) -> dict[str, object]:
    threading.Event().wait(COMPOSE_S)
    return {
        "asset": record.get("asset"),
        "position": [record.get("latitude"), record.get("longitude")],
        "speed": record.get("speed"),
        "fuel": record.get("fuel"),
        "address": address,
    }
