"""Sample data: invented people at invented companies, all at reserved domains (RFC 2606, RFC 6761)."""

from pathlib import Path

FOLDER = Path(__file__).parent


def people_file() -> Path:
    """A CSV of people in the importer's own columns."""
    return FOLDER / "people.csv"


def companies_file() -> Path:
    """A CSV of companies in the importer's own columns."""
    return FOLDER / "companies.csv"
