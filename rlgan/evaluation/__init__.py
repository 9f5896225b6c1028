"""Measures of what a generator writes. Each function is pure and says its protocol."""
