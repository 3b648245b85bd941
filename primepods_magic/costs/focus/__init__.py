"""Charges by the FinOps Open Cost and Usage Specification (FOCUS)."""
