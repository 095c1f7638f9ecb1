"""Lint: what loads and works, but will surprise somebody. Warnings only, each with its remedy."""

from __future__ import annotations

from config.loader import Loaded
from config.problems import Gravity
from config.units import format_duration
from daemon.settings.model import Settings
from detectors.spec import DetectorSpec, PrometheusSource
from remediations.spec import RungKind


def lint(loaded: Loaded[Settings]) -> None:
    """Record warnings on `loaded`."""
    settings = loaded.model
    for name, detector in settings.detectors.items():
        _window(loaded, name, detector)
        _clear(loaded, name, detector)
        _hold(loaded, name, detector)
    _verify(loaded)
    _warn(loaded, ("storm",), "storm is not evaluated in this release", "the trace of every rung says so")
    if settings.local_operator and settings.tokens:
        text = "local_operator has no effect: with tokens, ordering takes a token on this machine too"
        _warn(loaded, ("local_operator",), text, "remove one of the two")
    if not settings.signing_keys:
        _warn(
            loaded, ("signing_keys",), "no signing key is set", "sessions of the console end with the daemon"
        )


def _warn(loaded: Loaded[Settings], path: tuple[str | int, ...], text: str, hint: str) -> None:
    loaded.problem(path, text, hint, Gravity.WARNING)


def _window(loaded: Loaded[Settings], name: str, detector: DetectorSpec) -> None:
    """A short blip smeared over a long window looks like a long failure (window <= for/5)."""
    window = getattr(detector.signal.body, "window", None)
    zero_test = detector.fire.equals is not None
    if window is None or zero_test or not detector.fire.for_ or window <= detector.fire.for_ / 5:
        return
    text = f"window {format_duration(window)} is longer than a fifth of for {format_duration(detector.fire.for_)}"
    _warn(
        loaded,
        ("detectors", name, "signal"),
        text,
        "a short blip can fire it: shorten the window or drop for",
    )


def _clear(loaded: Loaded[Settings], name: str, detector: DetectorSpec) -> None:
    clear, fire = detector.clear, detector.fire
    if clear is None or clear.op == "equals" or fire.op in {"equals", clear.op}:
        return
    beyond = clear.threshold > fire.threshold if fire.op == "above" else clear.threshold < fire.threshold
    if beyond:
        _warn(
            loaded,
            ("detectors", name, "clear"),
            "clears while it would still fire",
            "put clear on the healthy side",
        )


def _hold(loaded: Loaded[Settings], name: str, detector: DetectorSpec) -> None:
    if 0 < detector.fire.for_ < 2 * loaded.model.poll_interval:
        text = f"for {format_duration(detector.fire.for_)} is shorter than two polls"
        _warn(loaded, ("detectors", name, "fire"), text, "one bad sample decides: lengthen for")


def _verify(loaded: Loaded[Settings]) -> None:
    """verify.within >= window + hold + delay + 2 scrapes, for the detectors of the playbook's failure mode."""
    settings = loaded.model
    for name, playbook in settings.playbooks.items():
        if not playbook.enabled:
            continue
        windows = [
            getattr(d.signal.body, "window", 0.0)
            for d in settings.detectors.values()
            if d.enabled and d.failure_mode == playbook.failure_mode
        ]
        delays = [s.delay for s in settings.telemetry.values() if isinstance(s, PrometheusSource)]
        need = max(windows, default=0.0) + max(delays, default=0.0) + 2 * settings.poll_interval
        for index, rung in enumerate(playbook.ladder):
            if rung.kind is RungKind.CONTAIN:
                # Checked by its own effect, not by the detectors' windows.
                continue
            if rung.verify.within < need + rung.verify.hold:
                text = f"verify.within {format_duration(rung.verify.within)} leaves too little time"
                hint = f"window, hold, delay and two scrapes need {format_duration(need + rung.verify.hold)}"
                _warn(loaded, ("playbooks", name, "ladder", index, "verify"), text, hint)
