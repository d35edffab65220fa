"""Routing inside a pod: rules and tables by source address, and membership in VRFs; planned, on record, taken back."""
