"""The lab's cluster as real servers on loopback."""
