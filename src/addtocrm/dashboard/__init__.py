"""The dashboard: pages for people, over the services that the API stands on."""
