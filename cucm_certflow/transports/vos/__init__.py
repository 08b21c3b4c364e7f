"""The platform command line over SSH."""
