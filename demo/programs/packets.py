"""What vehicles report and how each provider words it. Pure: the caller gives the sequence number and the time."""

import math
from collections.abc import Callable
from typing import Any

Reading = dict[str, Any]
PAYLOADS = ("usual", "changed-types", "fuel-renamed", "speed-out-of-range")


def reading(seq: int, assets: int, now: float) -> Reading:
    """One vehicle's state: a slow loop around a town, with figures a rule finds plausible."""
    number = seq % assets
    phase = seq / assets / 50 + number
    return {
        "number": number,
        "latitude": round(48.85 + 0.05 * math.sin(phase), 6),
        "longitude": round(2.35 + 0.05 * math.cos(phase), 6),
        "speed": round(45 + 30 * math.sin(phase * 7), 1),
        "fuel": round(60 + 30 * math.sin(phase * 3), 1),
        "odometer": 120_000 + number * 1000 + seq // assets,
        "ignition": True,
        "at": now,
    }


def customers(provider: str) -> list[str]:
    return [f"{provider}-{name}" for name in ("acme", "globex", "initech")]


def _navixy(one: Reading) -> dict[str, Any]:
    return {
        "gps": {
            "lat": one["latitude"],
            "lng": one["longitude"],
            "speed_mph": round(one["speed"] / 1.609344, 2),
        },
        "inputs": {"fuel": one["fuel"], "ignition": one["ignition"]},
        "counters": {"odometer_m": one["odometer"] * 1000},
    }


def _teltonika(one: Reading) -> dict[str, Any]:
    io = {"24": one["speed"], "89": one["fuel"], "16": one["odometer"] * 1000, "239": int(one["ignition"])}
    return {"lat": one["latitude"], "lng": one["longitude"], "io": io}


def _oem(one: Reading) -> dict[str, Any]:
    return {
        "position": {"latitude": one["latitude"], "longitude": one["longitude"]},
        "vehicleSpeed": one["speed"],
        "fuelLevelPercent": one["fuel"],
        "odometerKm": one["odometer"],
        "engineOn": one["ignition"],
    }


WORDINGS: dict[str, Callable[[Reading], dict[str, Any]]] = {"navixy": _navixy, "teltonika": _teltonika}
SPEED_AND_FUEL = {
    "navixy": (("gps", "speed_mph"), ("inputs", "fuel")),
    "teltonika": (("io", "24"), ("io", "89")),
}


def payload(provider: str, one: Reading, variant: str) -> dict[str, Any]:
    """The packet's body as the provider words it; `variant` is one of PAYLOADS."""
    body = WORDINGS.get(provider, _oem)(one)
    speed, fuel = SPEED_AND_FUEL.get(provider, (("vehicleSpeed",), ("fuelLevelPercent",)))
    if variant == "changed-types":
        for path in (speed, fuel):
            holder, key = _holder(body, path)
            holder[key] = {"value": holder[key], "quality": "good"}
    elif variant == "fuel-renamed":
        holder, key = _holder(body, fuel)
        holder["fuel_level_v2"] = holder.pop(key)
    elif variant == "speed-out-of-range":
        holder, key = _holder(body, speed)
        holder[key] = 6553.5
    return body


def _holder(body: dict[str, Any], path: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    for key in path[:-1]:
        body = body[key]
    return body, path[-1]


def packet(provider: str, seq: int, assets: int, now: float, variant: str) -> dict[str, Any]:
    """Envelope and body."""
    one = reading(seq, assets, now)
    names = customers(provider)
    return {
        "seq": seq,
        "asset": f"{provider}-{one['number']:03d}",
        "customer": names[one["number"] % len(names)],
        "at": round(now, 3),
        "data": payload(provider, one, variant),
    }
