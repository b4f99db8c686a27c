"""The commands of `drava`, one file a topic: arguments in, one call into a room, output out."""
