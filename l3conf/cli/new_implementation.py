"""``l3conf new-implementation``: a folder to begin with."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l3conf.cli.printing import print_json
from l3conf.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TEMPLATE_NAME, _TEMPLATE_ORGANIZATION = "mylink", '"Example Ltd"'
_TEMPLATE_URL = '"https://example.com/mylink"'
_LEFT_OUT = {"__init__.py", "__pycache__"}


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Of the project, as reports show it: a label such as mylink.")
@click.option("--organization", required=True, help="Who makes it; reports are published under it.")
@click.option("--url", default="https://example.com", show_default=True, help="Where people find it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def new_implementation(directory: Path, *, name: str, organization: str, url: str, as_json: bool) -> int:
    """Write an implementation file, hooks and a tiny data plane into DIRECTORY, which must be new or empty.

    It passes a few requirements as it is; docs/certify-your-implementation.md goes on from there.
    """
    _check(directory, name, url)
    files = {
        path: _filled_in(text, name, organization, url)
        for path, text in _template(resources.files("l3conf").joinpath("implementations", "template"))
    }
    _write(directory, files)
    if as_json:
        print_json({"directory": str(directory), "files": sorted(files)})
        return 0
    for path in sorted(files):
        click.echo(str(directory / path))
    click.echo(f"Try it: l3conf run L3-F1 --impl {directory / 'impl.yaml'} --topology two-clusters")
    return 0


def _check(directory: Path, name: str, url: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name", where="--name", remedy="use at most 63 lower-case letters, digits and dashes"
        )
    if not re.match(r"https?://\S", url):
        raise UserError(f"{url!r} is no address", where="--url", remedy="begin with https://")
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UserError("is there already", where=str(directory), remedy="give a new or an empty folder")


def _template(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir():
            yield from _template(entry, f"{above}{entry.name}/")
        else:
            yield f"{above}{entry.name}", entry.read_text(encoding="utf-8")


def _filled_in(text: str, name: str, organization: str, url: str) -> str:
    """Put words into the template. Those that may hold anything are quoted as JSON, which YAML reads as well."""
    marks = {"\0url": json.dumps(url), "\0organization": json.dumps(organization)}
    text = text.replace(_TEMPLATE_URL, "\0url").replace(_TEMPLATE_ORGANIZATION, "\0organization")
    text = text.replace(_TEMPLATE_NAME, name)
    for mark, words in marks.items():
        text = text.replace(mark, words)
    return text


def _write(directory: Path, files: dict[str, str]) -> None:
    """Write all files, or none: the folder appears when it is whole."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            for name, text in files.items():
                path = partial / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
            partial.chmod(0o755)
            partial.rename(directory)  # takes the place of an empty folder, too
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"cannot be written: {error.strerror}", where=str(directory), remedy="give a folder that can be"
        ) from error
