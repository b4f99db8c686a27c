"""From a packet to a commit."""
