"""E-mail verification: the engine. It is not reachable yet: its routes, jobs and tests are still to come."""
