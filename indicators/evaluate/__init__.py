"""Evaluation: production detectors over labelled data, beside what chance would find (docs/evaluate.md)."""
