"""The API server behind plain types: who we are, one client per request, errors by state of the world."""
