import pytest
from turns import Turns

from addtocrm.crm import calling


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the quota waits as long as it takes."""
    monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 300.0)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, patient: None) -> Turns:
    return Turns(monkeypatch)
