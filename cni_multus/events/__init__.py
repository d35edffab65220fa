"""Events about pods: spooled while a request runs, delivered by a process of its own when it has been answered."""
