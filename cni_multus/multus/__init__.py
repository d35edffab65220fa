"""The meta-plugin: several networks for one pod."""
