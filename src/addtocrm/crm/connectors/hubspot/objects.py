"""HubSpot's objects: their names, types, paths and associations."""

from collections.abc import Mapping
from typing import Any

from addtocrm.crm.kinds import Kind

OBJECT: Mapping[Kind, str] = {"contact": "contacts", "company": "companies"}
TYPE_ID: Mapping[Kind, str] = {"contact": "0-1", "company": "0-2"}
OBJECTS, PROPERTIES = "/crm/v3/objects", "/crm/v3/properties"
BATCH = 100
PRIMARY_COMPANY, NOTE, TASK = 1, 202, 204


def association(to: str, type: int) -> dict[str, Any]:
    """What makes an association of the `type` with the object whose id is `to`."""
    return {"to": {"id": to}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type}]}
