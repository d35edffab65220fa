"""`multus lint`: what is wrong with configurations, definitions and pods before a node meets them."""
