"""The CNI protocol as pure data: standard library only, no kernel, no files, no network."""
