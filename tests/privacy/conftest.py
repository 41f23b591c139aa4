"""What forgetting is tried on."""

from pathlib import Path

import pytest
from forgetting import World
from harness import Server


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return World(server, tmp_path)
