"""The verification engine: DNS, SMTP, verdict, politeness, finder; it knows nothing of HTTP or credits."""
