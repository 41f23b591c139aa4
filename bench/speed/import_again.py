"""An import that says nothing new, against the first one of the same file."""

from bench.deployment import Deployment
from bench.figure import Figure
from bench.growth.imports import HEADER

ROWS = 200_000


def figure(deployment: Deployment) -> Figure:
    file = deployment.folder / "people.csv"
    with file.open("w") as opened:
        opened.write(HEADER)
        for n in range(ROWS):
            domain = f"m{n % 9973}.example.com"
            opened.write(f"in/m{n},First{n % 997},Last{n},m{n}@{domain},CEO,Berlin,Germany,Company,{domain}\n")
    first, again = (ROWS / deployment.cli("import", "people", str(file))["seconds"] for _ in range(2))
    return Figure(
        "import of 200,000 people that says nothing new, against the first", again, first, again / first, "≥ 1"
    )
