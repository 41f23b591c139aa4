from scenarios import Scenarios
from vendors.hubspot_server import HubSpotServer


class TestHubSpot(Scenarios):
    crm = "hubspot"
    server = HubSpotServer
    creates = r"POST /crm/v3/objects/contacts(/batch/create)?$"
    writes = r"(PATCH|PUT) |POST /crm/v3/objects/contacts(/batch/(create|update))?$"
    picklist = ("level", "gold")
    text_field = "tier"

    def prepare(self, vendor: HubSpotServer) -> None:
        vendor.add_field("tier")
        vendor.add_field("level", "gold", "silver")
