"""Ways to a node, behind one seam."""
