"""For those who test their own rules: the explorer, the virtual loop, the contract suite."""
