"""The operator's commands: never imported on the request path."""
