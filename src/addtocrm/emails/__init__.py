"""E-mail verification and finding: the engine. Its routes and jobs are still to come."""
