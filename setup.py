"""Installs EQ Stack as an ament_python package, with colcon or with pip."""

from pathlib import Path

from setuptools import find_packages
from setuptools import setup

NAME = 'eq_stack'
ROOT = Path(__file__).resolve().parent
PACKAGES = ('eq_bootstrap', 'eq_core', 'eq_eval', 'eq_manipulation', 'eq_navigation',
            'eq_perception', 'eq_ros')


def requirements(group: str) -> list[str]:
    """Reads the names of one group of requirements."""
    lines = (ROOT / 'requirements' / f'{group}.in').read_text(encoding='utf-8').splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Lists the files under a folder for `share/eq_stack`, with their folders kept."""
    files = [path for path in sorted((ROOT / folder).rglob('*'))
             if path.is_file() and '__pycache__' not in path.parts]
    return [(f'share/{NAME}/{path.parent.relative_to(ROOT)}', [str(path.relative_to(ROOT))])
            for path in files]


setup(
    name=NAME,
    version='0.1.0',
    description='Equivariant perception for ROS 2: answers turn with the world',
    license='Apache-2.0',
    maintainer='EQ Stack maintainers',
    maintainer_email='maintainers@eq-stack.dev',
    packages=find_packages(include=[pattern for name in PACKAGES
                                    for pattern in (name, f'{name}.*')]),
    package_data={'': ['py.typed', '*.html', '*.j2', '*.css', '*.js', '*.json', '*.yaml']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (f'share/{NAME}', ['package.xml']),
        # pip ignores install_scripts of setup.cfg, and ROS looks for executables here.
        (f'lib/{NAME}', [str(path.relative_to(ROOT)) for path in ROOT.glob('scripts/*')]),
        *shared('config'), *shared('gazebo'), *shared('launch'), *shared('models'),
    ],
    python_requires='>=3.11',
    install_requires=requirements('base'),
    extras_require={
        **{name: requirements(name) for name in ('ros', 'sim', 'train', 'view')},
        'test': ['hypothesis', 'pytest', 'pytest-timeout'],     # without, colcon tests nothing
    },
    entry_points={'console_scripts': [
        'eq = eq_eval.cli.main:main',
        'lidar_detector = eq_perception.nodes.lidar_detector:main',
        'panoptic_segmenter = eq_perception.nodes.panoptic_segmenter:main',
        'graph_planner = eq_navigation.nodes.graph_planner:main',
        'path_follower = eq_navigation.nodes.path_follower:main',
        'semantic_costmap = eq_navigation.nodes.semantic_costmap:main',
        'pick_place_policy = eq_manipulation.nodes.pick_place_policy:main',
    ]},
    zip_safe=False,
)
