"""The README says what is so."""

from __future__ import annotations

from pathlib import Path
import re

import pytest

from eq_ros.node_kinds import COSTMAP
from eq_ros.node_kinds import FOLLOWER
from eq_ros.node_kinds import STACK

DOCUMENTS = ('README.md', 'docs/replay.md', 'docs/performance.md', 'docs/runtime.md',
             'docs/views.md', 'examples/README.md')


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


def test_every_node_has_a_row_that_leads_to_its_document(repository: Path) -> None:
    text = (repository / 'README.md').read_text()
    rows = re.findall(r'^\| \[`(\w+)`\]\(docs/(\w+)\.md\) \|', text, re.M)
    assert set(rows) == {(kind.name, kind.name) for kind in (*STACK, COSTMAP, FOLLOWER)}


def test_every_command_exists(repository: Path) -> None:
    from eq_eval.cli.main import COMMANDS
    for document in DOCUMENTS:
        for command in re.findall(r'\./eq ([a-z-]+)', (repository / document).read_text()):
            assert command in COMMANDS, (document, command)
