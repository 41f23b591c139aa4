"""What routes share: declarations, reading requests, writing answers, the OpenAPI document, /docs, health."""
