"""Leases of addresses: who has which, on one node, in files that survive a crash at any instruction."""
