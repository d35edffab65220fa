"""What every plugin stands on, and the meta-plugin."""
