"""What every plugin stands on, and the meta-plugin."""

VERSION = "0.1.0"
