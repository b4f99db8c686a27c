"""What the lake holds, what it means, whose it is, who may have it."""
