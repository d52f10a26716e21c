"""The Fast DDS profile is named in the environment, unless the user has named one."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from eq_core.errors import ConfigError
from eq_ros import transport

NEW, OLD = transport.PROFILE_VARIABLES


@pytest.mark.parametrize(('distribution', 'names'), [
    ('kilted', {NEW}), ('rolling', {NEW}), ('jazzy', {NEW, OLD}), ('humble', {NEW, OLD})])
def test_profile_is_named_for_the_fast_dds_of_the_distribution(
        distribution: str, names: set[str]) -> None:
    lacking = transport.transport_variables(
        {'ROS_DISTRO': distribution, 'AMENT_PREFIX_PATH': ''})
    assert set(lacking) == names
    assert all(Path(profile).is_file() for profile in lacking.values())


@pytest.mark.parametrize('name', transport.PROFILE_VARIABLES)
def test_profile_of_the_user_stays(name: str) -> None:
    assert transport.transport_variables({name: 'mine.xml', 'AMENT_PREFIX_PATH': ''}) == {}


def test_profile_holds_several_clouds_in_shared_memory() -> None:
    tree = ElementTree.parse(transport.shared_file(transport.PROFILE))
    space = {'dds': 'http://www.eprosima.com'}
    segment = tree.find('.//dds:segment_size', space)
    message = tree.find('.//dds:maxMessageSize', space)
    assert segment is not None and message is not None
    assert int(segment.text or 0) == 32 * 2**20 and int(message.text or 0) == 8 * 2**20
    builtin = tree.find('.//dds:useBuiltinTransports', space)
    assert builtin is not None and builtin.text == 'false'


def test_missing_file_names_where_it_was_looked_for() -> None:
    with pytest.raises(ConfigError, match='share/eq_stack'):
        transport.shared_file('config/no_such_file.xml')


def test_too_little_shared_memory_is_told_with_the_remedy(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transport, 'SHARED_MEMORY', tmp_path)
    assert transport.shared_memory_fault(processes=1) is None
    assert '--shm-size' in (transport.shared_memory_fault(processes=10**9) or '')
    monkeypatch.setattr(transport, 'SHARED_MEMORY', tmp_path / 'absent')
    assert transport.shared_memory_fault() is None
