"""Guardrails: named rules that can refuse a rung. All are always asked, and all answers are recorded."""
