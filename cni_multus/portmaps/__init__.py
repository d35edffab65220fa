"""Ports of the node that lead to containers: what is asked for, as rules of nftables, and whose they are."""
