"""Regenerate the certificates of a CUCM cluster in an order that its phones survive."""
