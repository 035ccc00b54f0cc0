"""Fixtures that several test rooms share."""
