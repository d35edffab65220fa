"""Commands about the node's own configuration."""
