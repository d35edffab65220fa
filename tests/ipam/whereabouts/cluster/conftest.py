from tests.ipam.whereabouts.cluster.making import make_node  # noqa: F401
from tests.ipam.whereabouts.cluster.mended import _empty_strings  # noqa: F401
