"""What tests of several rooms share: a real broker with this repository's configuration."""

from collections.abc import Iterator

import pytest

from commands.demo import broker as demo_broker

LONG = (  # half a minute and more: begun last, one of them would run alone at the end
    "test_demo",
    "test_incremental",
    "test_faults",
    "test_faults_lake",
    "test_indicators",
    "test_city",
    "test_faults_broker",
    "test_shared",
    "test_cut_off",
    "test_sweep",
    "test_commit",
    "test_maintain",
    "test_backup",
    "test_identity",
    "test_poison",
    "test_faults_same",
    "test_history",
    "test_doctor",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; all else, and the tests of a file, stay in the order drawn for this run."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo_broker.Broker]:
    """Mosquitto on a free port of loopback, with the repository's mosquitto.conf and its own persistence."""
    if demo_broker.mosquitto() is None:
        pytest.skip("mosquitto is not installed: make test installs it, or says how")
    with demo_broker.running(tmp_path_factory.mktemp("broker")) as found:
        yield found
