"""One module per group of rows: each measures, and says what its budget is."""
