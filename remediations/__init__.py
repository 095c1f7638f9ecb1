"""Pure mitigation: playbooks, ladders, guardrails, verification; actions speak to ports."""
