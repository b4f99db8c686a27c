"""Data that are made, not measured: `make` of a file gives the frame of a source."""
