"""Measurements, each in a module that begins with its question."""
