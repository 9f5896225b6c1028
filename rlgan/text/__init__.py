"""The wing of text: all that is particular to it."""
