"""What others need to watch a stack: a second configuration file for the daemon, and one for Prometheus."""

from typing import Any

from demo.settings import NEWCOMER, PROVIDERS, TIERS, Stack


def scraped(stack: Stack, *, newcomer: bool = False) -> list[dict[str, Any]]:
    """Every /metrics of the pipeline with the labels that say whose it is."""
    names = [*PROVIDERS, NEWCOMER] if newcomer else [*PROVIDERS]
    targets = [(f"ingestion-{provider}", {"job": "ingestion", "provider": provider}) for provider in names]
    targets.append(("transformation", {"job": "transformation"}))
    targets += [(f"storage-writer-{tier}", {"job": "storage", "tier": tier}) for tier in TIERS]
    targets.append(("api", {"job": "api"}))
    return [{"url": f"{stack.url(name)}/metrics", "labels": labels} for name, labels in targets]


def daemon_config(stack: Stack, *, newcomer: bool = False) -> dict[str, Any]:
    """ports.yaml: targets, addresses, the manager's socket."""
    names = [*PROVIDERS, NEWCOMER] if newcomer else [*PROVIDERS]
    return {
        "telemetry": {
            "edge": {
                "type": "scrape",
                "every": "1s",
                "timeout": "900ms",
                "targets": scraped(stack, newcomer=newcomer),
            }
        },
        "vars": {
            "ingestion_admin": {provider: stack.url(f"ingestion-{provider}") for provider in names},
            "provider_status": {
                provider: f"{stack.url(f'provider-{provider}')}/status" for provider in names
            },
            "transformation_admin": stack.url("transformation"),
            "storage_admin": {tier: stack.url(f"storage-writer-{tier}") for tier in TIERS},
            "api_admin": stack.url("api"),
            "mapping_link": str(stack.mapping / "current"),
            "rules_link": str(stack.rules / "current"),
            "ingestion_config_link": str(stack.ingestion_config / "current"),
        },
        "managers": {"pipeline": {"type": "supervisor", "url": f"unix://{stack.socket}"}},
    }


def prometheus_config(stack: Stack, *, newcomer: bool = False) -> dict[str, Any]:
    """Scrapes everything each second; labels of the pipeline win over those of the target."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for target in scraped(stack, newcomer=newcomer):
        labels = dict(target["labels"])
        address = target["url"].removeprefix("http://").removesuffix("/metrics")
        jobs.setdefault(labels.pop("job"), []).append({"targets": [address], "labels": labels})
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
        "scrape_configs": [
            {"job_name": job, "honor_labels": True, "static_configs": found} for job, found in jobs.items()
        ],
    }
