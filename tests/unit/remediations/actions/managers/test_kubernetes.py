"""Kubernetes: the calls, and what its answers mean. The promises of every manager are in `tests/contract`."""

from __future__ import annotations

from typing import Any

import pytest

from config.problems import Wrong
from remediations.actions.managers.cluster import selector_of
from remediations.actions.managers.kubernetes import RESTARTED, named
from remediations.actions.managers.manager import ManagerFault, Standing
from remediations.outcome import OutcomeState
from remediations.spec_managers import KubernetesSpec
from tests.fakes.kubernetes import Workload
from tests.fakes.managers import CLUSTER, TOKEN, OfKubernetes
from tests.fakes.ports import FakePermit, answer
from tests.fakes.rest import Said


@pytest.fixture
def bench() -> OfKubernetes:
    made = OfKubernetes()
    made.cluster.workloads[("deployments", "writer")] = made.writer = Workload("deployments", "writer")
    return made


def rolled_out(bench: OfKubernetes, image: str) -> None:
    """Somebody deploys this image, and its rollout goes as far as it can."""
    spec = bench.writer.told["spec"]
    containers = [{"name": "main", "image": image}]
    template = {**spec["template"], "spec": {"containers": containers}}
    bench.writer.changed({**spec, "template": template})
    for _ in range(10):
        bench.writer.step()


def images(bench: OfKubernetes) -> set[str]:
    return {pod.template["spec"]["containers"][0]["image"] for pod in bench.writer.staying}


def test_a_restart_is_the_annotation_that_kubectl_sets_and_every_pod_is_new(bench: OfKubernetes) -> None:
    old = {pod.uid for pod in bench.writer.pods}
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.DONE, outcome
    assert bench.writer.template["metadata"]["annotations"][RESTARTED] == "2026-01-05T08:00:00+00:00"
    assert old.isdisjoint(pod.uid for pod in bench.writer.staying)
    assert len(bench.writer.staying) == 3
    assert "3 of 3 ready" in outcome.effect


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
def test_the_other_kinds_are_restarted_too(bench: OfKubernetes, kind: str) -> None:
    other = bench.cluster.add("store", kind=f"{kind}s")
    old = {pod.uid for pod in other.pods}
    assert bench.perform(restart=f"{kind}/store").state is OutcomeState.DONE
    assert old.isdisjoint(pod.uid for pod in other.staying)


def test_a_patch_that_makes_no_new_generation_restarted_nothing(bench: OfKubernetes) -> None:
    bench.perform(restart="writer")
    bench.clock.step(-(bench.clock.now() - 1_767_600_000.0))  # the very same instant again
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "stayed as it was" in outcome.effect


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"paused": True}, "paused"),
        ({"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ({"replicas": 0}, "scaled to 0"),
    ],
)
def test_what_would_replace_nothing_is_not_ordered(bench: OfKubernetes, change: Any, said: str) -> None:
    bench.writer.changed({**bench.writer.told["spec"], **change})
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert said in outcome.output
    assert bench.orders == []


@pytest.mark.parametrize("to", [5, 1, 0])
def test_scaling_is_done_once_so_many_are_seen_ready(bench: OfKubernetes, to: int) -> None:
    outcome = bench.perform(scale="writer", to=to)
    assert outcome.state is OutcomeState.DONE, outcome
    assert len(bench.writer.staying) == to
    assert f"{to} of {to} ready" in outcome.effect


def test_pods_that_never_get_ready_leave_a_scaling_open_or_fail_it(bench: OfKubernetes) -> None:
    bench.writer.broken = frozenset({"ingestion:v1"})
    outcome = bench.perform(scale="writer", to=5, seconds=4)
    assert outcome.state is OutcomeState.UNKNOWN
    assert "3 of 5 ready" in outcome.effect


def test_an_autoscaler_that_sets_another_number_is_a_failure_that_says_so(bench: OfKubernetes) -> None:
    bench.writer.ruled_by = 3
    outcome = bench.perform(scale="writer", to=5)
    assert outcome.state is OutcomeState.FAILED
    assert "HorizontalPodAutoscaler" in outcome.effect


def test_a_number_that_somebody_else_set_in_between_is_not_overwritten(bench: OfKubernetes) -> None:
    def somebody() -> None:
        bench.writer.changed({**bench.writer.told["spec"], "replicas": 9})

    outcome = bench.perform(FakePermit(on_ask=somebody), scale="writer", to=5)
    assert outcome.state is OutcomeState.FAILED
    assert "has been modified" in outcome.output
    assert bench.writer.wanted == 9


def test_undo_goes_back_to_the_template_before(bench: OfKubernetes) -> None:
    rolled_out(bench, "ingestion:v2")
    assert images(bench) == {"ingestion:v2"}
    outcome = bench.perform(undo="writer")
    assert outcome.state is OutcomeState.DONE, outcome
    assert images(bench) == {"ingestion:v1"}
    assert "pod-template-hash" not in bench.writer.template["metadata"]["labels"]


def test_undo_mends_a_rollout_that_its_controller_had_given_up(bench: OfKubernetes) -> None:
    """The case it is for: the condition says "given up" a while longer, and that is not about the new order."""
    bench.writer.broken = frozenset({"ingestion:v2"})
    rolled_out(bench, "ingestion:v2")
    assert bench.writer.told["status"]["conditions"][0]["status"] == "False"
    outcome = bench.perform(undo="writer")
    assert outcome.state is OutcomeState.DONE, outcome
    assert images(bench) == {"ingestion:v1"}


def test_undo_does_nothing_once_somebody_rolled_out_in_between(bench: OfKubernetes) -> None:
    rolled_out(bench, "ingestion:v2")
    permit = FakePermit(on_ask=lambda: rolled_out(bench, "ingestion:v3"))
    assert bench.perform(permit, undo="writer").state is OutcomeState.FAILED
    assert images(bench) == {"ingestion:v3"}


def test_undo_after_a_restart_in_vain_goes_back_to_what_ran_before_both(bench: OfKubernetes) -> None:
    """A restart is a revision too: the one before it has the same fault."""
    rolled_out(bench, "ingestion:v2")
    assert bench.perform(restart="writer").state is OutcomeState.DONE
    assert images(bench) == {"ingestion:v2"}
    assert bench.perform(undo="writer").state is OutcomeState.DONE
    assert images(bench) == {"ingestion:v1"}


def test_a_restart_alone_is_nothing_to_undo(bench: OfKubernetes) -> None:
    bench.perform(restart="writer")
    outcome = bench.perform(undo="writer")
    assert outcome.state is OutcomeState.FAILED
    assert bench.orders == ["patch writer"]


def test_without_a_revision_before_there_is_no_way_back(bench: OfKubernetes) -> None:
    outcome = bench.perform(undo="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "nothing to go back to" in outcome.output
    assert bench.orders == []


def test_a_rollout_that_its_controller_gives_up_fails_before_the_deadline(bench: OfKubernetes) -> None:
    bench.writer.broken = frozenset({"ingestion:v1"})
    started = bench.clock.monotonic()
    outcome = bench.perform(restart="writer", seconds=300)
    assert outcome.state is OutcomeState.FAILED
    assert "timed out progressing" in outcome.effect
    assert bench.clock.monotonic() - started < 60


def test_a_question_in_between_that_is_not_answered_is_asked_again(bench: OfKubernetes) -> None:
    def stumble() -> None:
        address = f"{CLUSTER}/apis/apps/v1/namespaces/pipeline/deployments/writer"
        usual = next(answers[0] for (method, _), answers in bench.http.routes.items() if method == "GET")
        bench.http.on("GET", address, answer(500, '{"message": "etcdserver: leader changed"}'), usual)

    assert bench.perform(FakePermit(on_ask=stumble), restart="writer").state is OutcomeState.DONE


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Said(500, {"message": "etcdserver: request timed out"}), OutcomeState.UNKNOWN),
        (Said(504, b"gateway"), OutcomeState.UNKNOWN),
        (Said(403, {"message": "deployments is forbidden"}), OutcomeState.FAILED),
        (Said(429, {"message": "too many requests"}), OutcomeState.FAILED),
    ],
)
def test_what_refuses_an_order_is_told_apart_from_what_loses_it(
    bench: OfKubernetes, said: Said, state: OutcomeState
) -> None:
    bench.cluster.fails["PATCH"] = said
    assert bench.perform(restart="writer").state is state


def test_the_token_is_read_anew_for_every_call(bench: OfKubernetes) -> None:
    def renewed() -> None:
        bench.token = "canary-token-renewed"
        bench.cluster.tokens = {bench.token}

    assert bench.perform(FakePermit(on_ask=renewed), restart="writer").state is OutcomeState.DONE
    assert bench.cluster.seen == {TOKEN, "canary-token-renewed"}


def test_a_token_that_an_answer_repeats_is_not_repeated(bench: OfKubernetes) -> None:
    """Tokens are read after the load, so the daemon's own list of secrets does not hold them."""
    bench.cluster.fails["GET"] = Said(401, {"message": f"invalid bearer token {TOKEN}"})
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "invalid bearer token ***" in outcome.output


def test_a_token_that_cannot_be_read_is_a_failure_that_names_the_file(bench: OfKubernetes) -> None:
    bench.token = ""
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "serviceaccount/token" in outcome.output
    assert bench.http.requests == []


@pytest.mark.parametrize("token", ["canary-first\ncanary-second", "canary one", "canary\x00x"])
def test_what_could_not_stand_in_a_header_is_no_token_and_is_not_repeated(
    bench: OfKubernetes, token: str
) -> None:
    bench.token = token
    outcome = bench.perform(restart="writer")
    assert outcome.state is OutcomeState.FAILED
    assert "canary" not in str(outcome)
    assert bench.http.requests == []


def test_inside_a_pod_its_service_account_is_who_it_is() -> None:
    own = KubernetesSpec(type="kubernetes", namespace="pipeline")
    assert str(own.token_from) == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert own.trusted == {"ca": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"}
    tls = {"ca": "/a/ca.pem", "cert": "/a/c.pem", "key": "/a/k.pem"}
    by_certificate = KubernetesSpec.model_validate({"type": "kubernetes", "namespace": "p", "tls": tls})
    assert by_certificate.token_from is None
    assert by_certificate.trusted == tls


def test_a_workload_without_one_ready_pod_is_down_only_when_no_rollout_may_bring_one(
    bench: OfKubernetes,
) -> None:
    def standing() -> Standing:
        return bench.manager().state("writer", deadline=bench.clock.monotonic() + 5).standing

    bench.writer.broken = frozenset({"ingestion:v2"})
    rolled_out(bench, "ingestion:v2")
    assert standing() is Standing.RUNNING, "the old pods are kept until the new ones are ready"
    bench.writer.pods = [pod for pod in bench.writer.pods if not pod.ready]
    assert standing() is Standing.DOWN, "given up"


@pytest.mark.parametrize(
    ("unit", "named_so"),
    [
        ("api", "deployment/api"),
        ("deployment/api", "deployment/api"),
        ("daemonset/agent.v2", "daemonset/agent.v2"),
    ],
)
def test_a_unit_has_one_name_whichever_way_it_is_written(unit: str, named_so: str) -> None:
    assert named("restart", unit) == named_so


@pytest.mark.parametrize(
    ("operation", "unit"),
    [
        ("undo", "statefulset/store"),
        ("scale", "daemonset/agent"),
        ("restart", "pod/x"),
        ("restart", "API"),
        ("restart", "deployment/../secrets"),
        ("restart", "deployment/api?watch=1"),
    ],
)
def test_what_kubernetes_cannot_do_or_name_is_refused(operation: str, unit: str) -> None:
    with pytest.raises(Wrong):
        named(operation, unit)


@pytest.mark.parametrize(
    ("selector", "spelt"),
    [
        ({"matchLabels": {"app": "api", "tier": "hot"}}, "app=api,tier=hot"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "app notin (a)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, "!app"),
    ],
)
def test_a_selector_is_spelt_as_a_query(selector: Any, spelt: str) -> None:
    assert selector_of({"spec": {"selector": selector}}) == spelt


@pytest.mark.parametrize(
    "selector", [{}, None, {"matchExpressions": [{"key": "a", "operator": "Near"}]}, {"matchLabels": []}]
)
def test_without_a_selector_that_is_understood_no_pods_are_taken_for_its_own(selector: Any) -> None:
    with pytest.raises(ManagerFault):
        selector_of({"spec": {"selector": selector}})
