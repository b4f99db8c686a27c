"""What tests of several rooms share: a real broker with this repository's configuration."""

from collections.abc import Iterator

import pytest

from commands.demo import broker as demo_broker


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo_broker.Broker]:
    """Mosquitto on a free port of loopback, with the repository's mosquitto.conf and its own persistence."""
    if demo_broker.mosquitto() is None:
        pytest.skip("mosquitto is not installed: make test installs it, or says how")
    with demo_broker.running(tmp_path_factory.mktemp("broker")) as found:
        yield found
