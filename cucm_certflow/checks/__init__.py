"""What is looked at before a change and after it, as tables: one row per check, with its source."""
