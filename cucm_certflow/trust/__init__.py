"""What phones trust, what they will accept, and whether there is a way back for them."""
