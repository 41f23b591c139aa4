"""What schemathesis finds between the document and the running server, with a key that has every scope."""

import pytest
import schemathesis
from harness import Account
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

# Left out: `positive_data_acceptance`, for a value of the right shape may still be no LinkedIn URL, no cursor and no
# id of the account; `missing_required_header`, for only Authorization is required and `ignored_auth` proves it;
# `use_after_free`, `ensure_resource_availability` and `object_level_authorization`, for they follow ids from call to
# call, which generated single calls do not (the lists' own tests do); `max_response_time`, for it measures the machine.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_schemathesis_finds_nothing(account: Account, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{account.server.url}/openapi.json")
    checks = [schemathesis.checks.CHECKS.get_one(name) for name in CHECKS]
    headers = {"Authorization": f"Bearer {account.token}"}
    problems: list[str] = []
    called = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        takes_data = bool(operation.body or operation.path_parameters or operation.query or operation.headers)
        if mode.is_negative and not takes_data:
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=15,
            phases=[Phase.explicit, Phase.generate],
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def run(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers if case.operation.path.startswith("/v1") else {}, checks=checks)

        called += 1
        try:
            run()
        except (Exception, BaseExceptionGroup) as error:
            problems.append(f"{operation.label}: {type(error).__name__} {error}"[:1500])
    assert not problems, "\n\n".join(problems)
    assert called >= 20
