"""Worlds and models for Gazebo 11: what it shares with gz-sim, in the SDF that it reads.

Gazebo 11 runs without graphics: a `ray` sensor takes the place of the `gpu_lidar`, cameras
are left out. What moves by a system of gz-sim stands still.
"""

from __future__ import annotations

from pathlib import Path
import xml.etree.ElementTree as ElementTree

VERSION = '1.7'
DRIVE = 'gz-sim-diff-drive-system'
MOVES = 'gz-sim-velocity-control-system'
TORQUE = 60.    # of a wheel [N m]


def convert(folder: Path, out: Path, columns: int | None = None) -> None:
    """Writes worlds and models for Gazebo 11.

    Args:
        folder: With `worlds` and `models`.
        out: Where both go.
        columns: Directions of the LiDAR about its axis; as many as there are if None.
    """
    for source in sorted([*folder.glob('worlds/*.sdf'), *folder.glob('models/*/model.sdf')]):
        tree = ElementTree.parse(source)
        _convert(tree.getroot(), columns)
        target = out / source.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        tree.write(target, encoding='utf-8', xml_declaration=True)
        config = source.with_name('model.config')
        if config.is_file():
            text = config.read_text(encoding='utf-8')
            target.with_name('model.config').write_text(
                text.replace('<sdf version="1.9">', f'<sdf version="{VERSION}">'), 'utf-8')


def _convert(root: ElementTree.Element, columns: int | None) -> None:
    root.set('version', VERSION)
    for parent in list(root.iter()):
        for plugin in parent.findall('plugin'):
            parent.remove(plugin)
            if plugin.get('filename') == DRIVE:
                parent.append(_drive(plugin))
            elif plugin.get('filename') == MOVES:
                ElementTree.SubElement(parent, 'static').text = 'true'
        for sensor in parent.findall('sensor'):
            if sensor.get('type') == 'gpu_lidar':
                _ray(sensor, columns)
            else:
                parent.remove(sensor)


def _drive(system: ElementTree.Element) -> ElementTree.Element:
    """The plugin that turns the wheels; speeds come on `~/MODEL/vel_cmd`."""
    plugin = ElementTree.Element('plugin', name='drive', filename='libDiffDrivePlugin.so')
    for side in ('left', 'right'):
        ElementTree.SubElement(plugin, f'{side}_joint').text = system.findtext(f'{side}_joint')
    ElementTree.SubElement(plugin, 'torque').text = f'{TORQUE:g}'
    return plugin


def _ray(sensor: ElementTree.Element, columns: int | None) -> None:
    """Makes a sensor one that meets collision shapes."""
    sensor.set('type', 'ray')
    for name in ('topic', 'gz_frame_id'):
        for element in sensor.findall(name):
            sensor.remove(element)
    for lidar in sensor.findall('lidar'):
        lidar.tag = 'ray'
        horizontal = lidar.find('scan/horizontal')
        if horizontal is not None and columns:
            low, high, samples = (horizontal.find(name) for name in (
                'min_angle', 'max_angle', 'samples'))
            if low is not None and high is not None and samples is not None:
                samples.text = str(columns)
                turn = -2 * float(low.text or 0.)
                high.text = f'{float(low.text or 0.) + turn * (columns - 1) / columns:.7f}'
