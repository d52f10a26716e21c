"""The README says what is so."""

from __future__ import annotations

import dataclasses
from pathlib import Path
import re

import pytest

DOCUMENTS = ('README.md', 'docs/replay.md', 'docs/performance.md', 'docs/runtime.md',
             'examples/README.md')


@pytest.mark.parametrize('document', DOCUMENTS)
def test_every_link_leads_somewhere(repository: Path, document: str) -> None:
    file = repository / document
    links = re.findall(r'\]\(([^)#]+)\)', file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_every_folder_is_named(repository: Path) -> None:
    text = (repository / 'README.md').read_text()
    folders = [folder.name for folder in repository.iterdir()
               if (folder / '__init__.py').exists()]
    assert folders
    assert [folder for folder in folders if f'`{folder}`' not in text] == []


def test_the_parameters_are_those_of_the_node(repository: Path) -> None:
    pytest.importorskip('rclpy')
    from eq_perception.nodes.lidar_detector import Parameters
    text = (repository / 'README.md').read_text()
    section = text.split('## Parameters')[1].split('\n## ')[0]
    rows = {row[0]: row[1] for row in re.findall(r'^\| `(\w+)` \| ([^|]+) \|', section, re.M)}
    fields = {field.name: field.default for field in dataclasses.fields(Parameters)}
    assert set(rows) == set(fields)
    for name, default in fields.items():
        said = rows[name].strip().strip('`').replace(' ', '')
        if isinstance(default, bool):
            assert said == str(default).lower(), name
        elif isinstance(default, int | float):
            assert float(said) == default, name


def test_every_command_exists(repository: Path) -> None:
    from eq_eval.cli.main import COMMANDS
    for document in DOCUMENTS:
        for command in re.findall(r'\./eq ([a-z-]+)', (repository / document).read_text()):
            assert command in COMMANDS, (document, command)
