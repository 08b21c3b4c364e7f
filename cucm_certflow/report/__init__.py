"""What people keep of a plan and of a run: Markdown for the ticket, the report of a run."""
