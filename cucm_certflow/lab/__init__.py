"""A cluster in the lab: one physics, in memory or as real servers on loopback."""
