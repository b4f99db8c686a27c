"""The words: which measures and families exist, in which unit, within which bounds."""
