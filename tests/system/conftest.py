import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import Server  # noqa: E402


@pytest.fixture
def server():
    """A fresh server that takes spans of any age."""
    with Server("--accept-age", "any") as running:
        yield running
