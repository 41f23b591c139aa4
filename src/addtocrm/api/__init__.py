"""What all routes share: declarations, reading requests, writing answers, the OpenAPI document."""
