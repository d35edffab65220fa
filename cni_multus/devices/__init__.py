"""Devices of the node that pods get: which one is meant, and what is on record of those on loan."""
