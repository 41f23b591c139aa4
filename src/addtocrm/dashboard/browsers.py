"""What a browser calls itself, in words that people know."""

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Most call themselves by the names of those after them, too."""
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def readable(agent: str) -> str:
    """`Firefox on Windows`, of a User-Agent (RFC 9110 §10.1.5)."""
    browser, system = (next((name for mark, name in known if mark in agent), None) for known in (BROWSERS, SYSTEMS))
    return " on ".join(filter(None, (browser, system))) or agent.partition("/")[0] or "Unknown"
