"""Kubernetes Events: kept until they are delivered, and never waited for."""
