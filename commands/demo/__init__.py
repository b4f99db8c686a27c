"""`drava demo`: the main job shown on a simulated city, over a real broker, with real processes."""

from commands.demo.run import add

__all__ = ["add"]
