"""What is measured, against whom: every budget of ARCHITECTURE.md, with one command (`python -m bench`)."""
