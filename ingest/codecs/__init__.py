"""From bytes to plain records, one file a codec."""
