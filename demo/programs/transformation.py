"""Transformation: maps fields by a versioned mapping, checks values by versioned rules, hands records to the three tiers."""

import json
import os
import queue
import threading
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from demo import clock, versions
from demo.programs.convert_client import Converter
from demo.programs.dlq import DeadLetters
from demo.programs.mapping import (
    FIELDS,
    FieldMapping,
    Rule,
    Unmappable,
    plausible,
    read_mapping,
    read_rules,
    status_of,
    value_of,
)
from demo.programs.outbox import Outbox
from demo.programs.transformation_metrics import TransformationMetrics
from demo.service import Refused, Service, main
from demo.settings import PROVIDERS, TIERS
from demo.wire import Answer, Call, Peer, WireError

Packet = dict[str, Any]
Values = dict[str, float | None]


class Transformer:
    """One worker thread transforms; one sender a tier empties its outbox."""

    def __init__(self, service: Service) -> None:
        self.service, self.stack = service, service.stack
        self.given = service.stack.settings.transformation
        self.metrics = TransformationMetrics(service.registry, PROVIDERS, FIELDS, TIERS)
        self.queue: queue.SimpleQueue[tuple[str, list[Packet]]] = queue.SimpleQueue()
        self.waiting = 0
        self.lock = threading.Lock()
        self.mapping: dict[str, dict[str, FieldMapping]] = {}
        self.rules: dict[str, dict[str, Rule]] = {}
        self.version = {"mapping": "", "rules": ""}
        self.isolated: set[str] = set()
        self.last_error: dict[str, str] = {}
        self.refusing: set[str] = set()  # tiers whose last batch was not stored
        self.letters = DeadLetters(self.stack.state / "dlq")
        self.quarantine_file = self.stack.state / "dlq" / "quarantined.json"
        if self.quarantine_file.exists():
            self.isolated = set(json.loads(self.quarantine_file.read_text(encoding="utf-8")))
        self.outboxes = {
            tier: Outbox(self.stack.state / "spill" / f"{tier}.jsonl", self.given.queue) for tier in TIERS
        }
        self.converter = Converter(
            self.stack.state, self.given.converter_timeout_s, self.given.converter_timeout_stuck_s
        )

    # -- versioned configuration ---------------------------------------------------------------------------------

    def look(self) -> None:
        pins: dict[str, str] = {}
        if self.service.lies():
            pins = json.loads(
                (self.stack.faults / f"{self.service.program}.liar").read_text(encoding="utf-8") or "{}"
            )
        for what, parent in (("mapping", self.stack.mapping), ("rules", self.stack.rules)):
            version = pins.get(what) or versions.current(parent)
            if version != self.version[what]:
                self._load(what, parent, version)

    def _load(self, what: str, parent: Path, version: str) -> None:
        """A version that cannot be read leaves the one in use; it is tried once."""
        self.version[what] = version
        yaml = YAML(typ="safe")
        try:
            files = {
                path.stem: yaml.load(path.read_text(encoding="utf-8"))
                for path in (parent / version).glob("*.yaml")
            }
            if what == "mapping":
                self.mapping = {provider: read_mapping(content) for provider, content in files.items()}
            else:
                self.rules = {provider: read_rules(content) for provider, content in files.items()}
            result = "in use"
        except (YAMLError, OSError, ValueError, KeyError, TypeError) as error:
            result = f"refused: {error}"
        self.service.effects.write("switch", what, args={"version": version}, result=result)

    # -- packets in ----------------------------------------------------------------------------------------------

    def accept(self, call: Call) -> Answer:
        content = call.json()
        with self.lock:
            if self.waiting >= self.given.queue:
                return Answer(503, {"error": "the queue is full"})
            self.waiting += len(content["packets"])
        self.queue.put((content["provider"], content["packets"]))
        return Answer(200, {"accepted": len(content["packets"])})

    def work(self) -> None:
        """Everything that waits, one provider after the other."""
        batches: dict[str, list[Packet]] = {}
        try:
            provider, packets = self.queue.get(timeout=0.5)
            while True:
                batches.setdefault(provider, []).extend(packets)
                provider, packets = self.queue.get_nowait()
        except queue.Empty:
            pass
        for provider, packets in batches.items():
            self.transform(provider, packets)
            with self.lock:
                self.waiting -= len(packets)

    def transform(self, provider: str, packets: list[Packet]) -> None:
        if provider in self.isolated:
            self.letters.add(provider, packets, "quarantined")
            return
        mapping = self.mapping.get(provider)
        if mapping is None:
            self.letters.add(provider, packets, "no mapping")
            return
        mapped, failed = self._map(provider, packets, mapping)
        self.letters.add(provider, failed, "mapping failed")
        records = [self._record(provider, packet, values) for packet, values in mapped]
        for tier in TIERS:
            self.outboxes[tier].add(records)

    def _map(
        self, provider: str, packets: list[Packet], mapping: dict[str, FieldMapping]
    ) -> tuple[list[tuple[Packet, Values]], list[Packet]]:
        table: list[Values] = [{} for _ in packets]
        bad: set[int] = set()
        for field, one in mapping.items():
            if f"{provider}/{field}" in self.isolated:
                continue
            column: dict[int, float | None] = {}
            for number, packet in enumerate(packets):
                try:
                    column[number] = value_of(packet["data"], one)
                except Unmappable:
                    bad.add(number)
            good = self._convert(one, column)
            bad |= set(column) - set(good)
            self.metrics.applied.add(len(good), provider, field)
            if len(good) < len(packets):
                self.metrics.failed.add(len(packets) - len(good), provider, field)
                self.last_error = {"provider": provider, "field": field}
            for number, value in good.items():
                table[number][field] = value
        mapped = [(packet, table[number]) for number, packet in enumerate(packets) if number not in bad]
        return mapped, [packets[number] for number in sorted(bad)]

    def _convert(self, one: FieldMapping, column: dict[int, float | None]) -> dict[int, float | None]:
        """The column in the right unit; empty when the converter does not answer."""
        asked = {number: value for number, value in column.items() if value is not None}
        if not one.convert or not asked:
            return column
        answers = self.converter.convert(one.convert, list(asked.values()))
        return {} if answers is None else column | dict(zip(asked, answers, strict=True))

    def _record(self, provider: str, packet: Packet, values: Values) -> dict[str, Any]:
        """Check values and compute the status; a value that is not plausible is left out of the record."""
        rules = self.rules.get(provider, {})
        for field, rule in rules.items():
            if field not in values:
                continue
            self.metrics.checked.add(1, provider, field)
            value = values[field]
            if value is None:
                self.metrics.missing.add(1, provider, field)
            elif not plausible(value, rule):
                self.metrics.invalid.add(1, provider, field)
                values[field] = None
        if "data" not in packet or "customer" not in packet:
            self.metrics.violations.add(1, provider)
        try:
            status = status_of(values)
            self.metrics.computed.add(1, provider)
        except KeyError:
            status = "unknown"
            if f"{provider}/ignition" not in self.isolated:
                self.metrics.errors.add(1, provider)
        return (
            {key: packet.get(key) for key in ("asset", "customer", "seq", "at", "received_at")}
            | {"status": status}
            | values
        )

    # -- records out ---------------------------------------------------------------------------------------------

    def start_sender(self, tier: str) -> None:
        peer = Peer(self.stack.port(f"storage-writer-{tier}"), self.given.send_timeout_s)
        self.service.loop(f"send-{tier}", self.given.send_s, lambda: self._send(tier, peer))

    def _send(self, tier: str, peer: Peer) -> None:
        """A batch that was not stored stays first in the queue; the next tries are small ones."""
        outbox = self.outboxes[tier]
        self.metrics.depth.set(len(outbox), f"storage-{tier}")
        if tier == TIERS[0]:
            self.metrics.depth.set(self.waiting, "transformation")
            self.metrics.dlq_depth.set(self.letters.depth, "transformation")
        batch = outbox.peek(self.given.retry_batch if tier in self.refusing else self.given.send_batch)
        if not batch:
            return
        self.refusing.add(tier)
        try:
            status, _ = peer.post(f"/tiers/{tier}/write", {"records": batch})
        except WireError:
            return
        if status != 200:
            return
        self.refusing.discard(tier)
        outbox.done(len(batch))
        if tier == TIERS[0]:
            now = clock.now()
            for record in batch:
                provider = record["asset"].rpartition("-")[0]
                self.metrics.latency.observe(now - (record["received_at"] or now), provider)

    # -- what people order ---------------------------------------------------------------------------------------

    def order_quarantine(self, args: dict[str, Any]) -> dict[str, Any]:
        provider, on = args["provider"], bool(args["on"])
        names = {f"{provider}/{field}" for field in args.get("fields") or []} or {provider}
        if names <= self.isolated if on else not names & self.isolated:
            raise Refused(f"{', '.join(sorted(names))}: already so")
        self.isolated = self.isolated | names if on else self.isolated - names
        self.quarantine_file.write_text(json.dumps(sorted(self.isolated)), encoding="utf-8")
        return {"quarantined": sorted(self.isolated)}

    def order_reprocess(self, args: dict[str, Any]) -> dict[str, Any]:
        """Everything set aside for a provider goes through the mapping of now; what fails again is set aside again."""
        provider = args["provider"]
        if provider in self.isolated:
            raise Refused(f"{provider} is quarantined")
        packets = self.letters.take(provider)
        with self.lock:
            self.waiting += len(packets)
        self.queue.put((provider, packets))
        return {"reprocessed": len(packets)}

    def forget(self, _: Call) -> Answer:
        """What was set aside for a demonstration is thrown away with it."""
        for provider in list(self.letters.counts):
            self.letters.take(provider)
        return Answer(200, {"ok": True})

    def health(self, _: Call) -> Answer:
        stuck = self.converter.stuck
        return Answer(200, {
            "status": "stuck" if stuck else "ok", "mapping_version": self.version["mapping"], "rules_version": self.version["rules"],
            "stuck": stuck, "dlq_depth": self.letters.depth, "quarantined": sorted(self.isolated), "last_error": self.last_error,
            "queue": self.waiting, "outbox": {tier: len(outbox) for tier, outbox in self.outboxes.items()}, "pid": os.getpid(),
        })  # fmt: skip

    def stop(self) -> None:
        self.converter.end()
        for outbox in self.outboxes.values():
            outbox.save()


def build(service: Service, _: str) -> None:
    transformer = Transformer(service)
    service.stop_hooks.append(transformer.stop)
    service.route("GET", "/health", transformer.health)
    service.route("POST", "/packets", transformer.accept)
    service.route("POST", "/control/forget", transformer.forget)
    service.admin("/admin/quarantine", transformer.order_quarantine)
    service.admin("/admin/reprocess", transformer.order_reprocess)
    transformer.look()
    service.listen(service.stack.port("transformation"))
    service.loop("look", transformer.given.look_s, transformer.look)
    service.loop("work", 0.05, transformer.work)
    for tier in TIERS:
        transformer.start_sender(tier)


if __name__ == "__main__":
    main(build, "transformation")
