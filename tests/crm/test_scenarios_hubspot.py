from scenarios import Scenarios
from vendors.hubspot_server import HubSpotServer


class TestHubSpot(Scenarios):
    crm = "hubspot"
    server = HubSpotServer
    creates = r"POST /crm/v3/objects/contacts(/batch/create)?$"
    writes = r"(PATCH|PUT) |POST /crm/v3/objects/contacts(/batch/(create|update))?$"
    picklist = ("lifecyclestage", "customer")
    text_field = "tier"
