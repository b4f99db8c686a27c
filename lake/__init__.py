"""Data becomes visible here, and only here."""
