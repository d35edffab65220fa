"""The firewall plugin's work on the node: our own nftables rules, and what other firewalls have to be told."""
