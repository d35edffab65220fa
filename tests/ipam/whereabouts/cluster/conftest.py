from tests.ipam.whereabouts.cluster.making import make_node  # noqa: F401
