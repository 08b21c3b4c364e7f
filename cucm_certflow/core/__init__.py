"""The pure core: state tables, guards, the plan, and the one function that decides."""
