"""The kernel behind plain types: the only place that speaks netlink or enters a namespace."""
