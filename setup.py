"""Packaging of ulm-spark; the version and the pins are read from where they are kept."""

import ast
from glob import glob
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def read_version() -> str:
    """Return ``__version__`` of the package without importing it."""
    tree = ast.parse((HERE / "ulm_spark" / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__version__" for t in node.targets
        ):
            return str(ast.literal_eval(node.value))
    raise RuntimeError("ulm_spark/__init__.py: no __version__ found; expected one assignment of a literal")


def read_requirements(name: str) -> list[str]:
    """Return the direct requirements of requirements/<name>.in, without its includes and comments."""
    lines = (HERE / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    bare = (line.split("#")[0].strip() for line in lines)
    return [line for line in bare if line and not line.startswith("-")]


def read_readme() -> str:
    """Return the README, or nothing where a partial checkout has none."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="ulm-spark",
    version=read_version(),
    description="User lifecycle management for e-commerce on Spark, Delta, TensorFlow, Horovod and Petastorm",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=["ulm_spark*", "jobs*"]),
    package_data={
        "ulm_spark": ["py.typed"],
        "ulm_spark.lake": ["log4j2.properties"],
        "ulm_spark.report": ["templates/*"],
    },
    # Where find_adapter looks when the package is installed without its checkout.
    data_files=[("share/ulm-spark/conf/sources", sorted(glob("conf/sources/*.yaml", root_dir=HERE)))],
    install_requires=read_requirements("base"),
    # Horovod is absent on purpose: it needs the patched build of scripts/setup.sh.
    extras_require={
        "train": read_requirements("train"),
        "dev": read_requirements("train") + read_requirements("dev"),
    },
    entry_points={"console_scripts": ["ulm=ulm_spark.pipeline.cli:main"]},
    zip_safe=False,
)
