"""A plan is explored here before it is run: under every variant of what nobody knows of CUCM."""
