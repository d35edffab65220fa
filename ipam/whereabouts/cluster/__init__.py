"""Addresses kept by the Kubernetes API, in the objects that Whereabouts keeps them in, without a leader."""
