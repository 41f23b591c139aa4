"""An account with the built-in CRM, and an operator who forgets."""

import csv
from pathlib import Path
from typing import Any

from harness import Account, Server, cli, until


class World:
    """What the tests do to one server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.account: Account = server.account(credits=1000)
        self.account.connect_builtin()

    def imported(self, *rows: dict[str, str]) -> Any:
        names = list(dict.fromkeys(name for row in rows for name in row))
        file = self.folder / "people.csv"
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, names)
            writer.writeheader()
            writer.writerows(rows)
        return cli("import", "people", "--restart", str(file), environment=self.server.environment)

    def forget(self, identifier: str) -> Any:
        return cli("people", "forget", identifier, environment=self.server.environment)

    def post(self, path: str, body: Any, **more: Any) -> Any:
        return self.account.client.post(path, json=body, **more)

    def new_list(self, *people: dict[str, Any]) -> str:
        id = self.post("/v1/lists", {"name": "Leads"}).json()["data"]["id"]
        added = self.post(f"/v1/lists/{id}/members", {"people": list(people)})
        assert added.is_success, added.text
        return id

    def members(self, list_id: str) -> list[dict[str, Any]]:
        return [one["person"] for one in self.account.client.get(f"/v1/lists/{list_id}/members").json()["data"]]

    def batch(self, kind: str, *items: Any) -> str:
        id = self.post(f"/v1/batch/{kind}", {"items": list(items)}).json()["data"]["id"]
        until(lambda: self.account.client.get(f"/v1/jobs/{id}").json()["data"]["status"] == "completed")
        return id

    def mentions(self, *texts: str) -> dict[str, int]:
        """How many rows of each table say one of the texts, in any case."""
        tables = self.server.query(
            "select table_name as name from information_schema.tables where table_schema = 'public'"
        )
        found: dict[str, int] = {}
        for table in tables:
            rows = self.server.query(f'select t::text as row from "{table["name"]}" as t')
            count = sum(any(text.casefold() in row["row"].casefold() for text in texts) for row in rows)
            if count:
                found[table["name"]] = count
        return found
