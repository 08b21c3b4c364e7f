"""What people keep and show: pictures of tables and plans, and reports of runs."""
