"""One pod's volumes on disk: made before its first process, refreshed when their sources change, removed with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l3conf.emulator.node import atomic_writer
from l3conf.emulator.node.environment import expand
from l3conf.emulator.node.volume_contents import WRITTEN_KINDS, VolumeError, VolumeSources, volume_contents
from l3conf.emulator.node_runtime import Mount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from l3conf.emulator.node.context import NodeContext
    from l3conf.emulator.node.environment import Lookup

TOKEN_SECONDS = 3600
"""Default of ``serviceAccountToken.expirationSeconds``."""
RENEW_AT = 0.8
"""Share of a token's life after which it is renewed."""
_HOST_PATH_MADE = frozenset({"DirectoryOrCreate", "FileOrCreate"})


class PodVolumes:
    """Volumes of one pod. File work is synchronous: a few small files."""

    def __init__(self, context: NodeContext, pod: Mapping[str, Any], spec: Mapping[str, Any], lookup: Lookup) -> None:
        self._context = context
        self._pod = pod
        self._volumes: dict[str, Mapping[str, Any]] = {item["name"]: item for item in spec.get("volumes") or ()}
        self._lookup = lookup
        self._tokens: dict[tuple[str, int], tuple[float, str]] = {}
        self._generation = 0
        self.directory: Path = context.state_directory / "pods" / pod["metadata"]["uid"]

    def set_up(self, addresses: Mapping[str, str]) -> None:
        """Make every volume. Raises ``VolumeError``; may be called again."""
        for volume in self._volumes.values():
            if "hostPath" in volume:
                _check_host_path(volume)
            else:
                self._path(volume).mkdir(parents=True, exist_ok=True)
        self.refresh(addresses)

    def refresh(self, addresses: Mapping[str, str]) -> None:
        """Bring the files that we write up to date with their sources."""
        sources = VolumeSources(pod=self._pod, addresses=addresses, lookup=self._lookup, token=self._token)
        for volume in self._volumes.values():
            if any(kind in volume for kind in WRITTEN_KINDS):
                self._generation += 1
                files = volume_contents(volume, sources)
                atomic_writer.write(self._path(volume), files, generation=self._generation)

    def uses(self, resource: str, name: str) -> bool:
        """Say whether a ConfigMap or Secret is the source of a volume."""
        return (resource, name) in set(self._references())

    def seconds_until_renewal(self) -> float | None:
        """Return when ``refresh`` must be called for the sake of tokens; None where there are none."""
        now = self._context.now().timestamp()
        return min((max(0.0, due - now) for due, _ in self._tokens.values()), default=None)

    def mounts(self, container: Mapping[str, Any], env: Mapping[str, str]) -> tuple[Mount, ...]:
        """Return what one container sees of the volumes. Raises ``VolumeError`` for a volume that is not declared."""
        return tuple(self._mount(item, env) for item in container.get("volumeMounts") or ())

    def file(self, name: str, content: str) -> Path:
        """Write a file beside the volumes, such as ``/etc/hosts``; return its path."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / name
        path.write_text(content)
        return path

    def remove(self) -> None:
        """Delete everything, logs included."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _path(self, volume: Mapping[str, Any]) -> Path:
        return self.directory / "volumes" / str(volume["name"])

    def _mount(self, item: Mapping[str, Any], env: Mapping[str, str]) -> Mount:
        volume = self._volumes.get(item["name"])
        if volume is None:
            raise VolumeError(f'no volume "{item["name"]}" is declared in the pod')
        source = Path(volume["hostPath"]["path"]) if "hostPath" in volume else self._path(volume)
        sub_path = item.get("subPath") or expand(item.get("subPathExpr") or "", env)
        if sub_path:
            source = source / sub_path
            if ("emptyDir" in volume or "hostPath" in volume) and not source.exists():
                source.mkdir(parents=True, exist_ok=True)
        written = any(kind in volume for kind in WRITTEN_KINDS)
        return Mount(source=source, target=item["mountPath"], read_only=bool(item.get("readOnly")) or written)

    def _token(self, projection: Mapping[str, Any]) -> str:
        """Issue a token, or return the one in use while it is young."""
        seconds = int(projection.get("expirationSeconds") or TOKEN_SECONDS)
        audience = projection.get("audience") or ""
        now = self._context.now().timestamp()
        due, token = self._tokens.get((audience, seconds), (0.0, ""))
        if now >= due:
            metadata = self._pod["metadata"]
            token = self._context.issue_token(
                metadata["namespace"],
                self._pod["spec"].get("serviceAccountName") or "default",
                seconds=seconds,
                audiences=(audience,) if audience else (),
            )
            self._tokens[audience, seconds] = (now + RENEW_AT * seconds, token)
        return token

    def _references(self) -> Iterator[tuple[str, str]]:
        for volume in self._volumes.values():
            parts = (volume.get("projected") or {}).get("sources") or (volume,)
            for part in parts:
                if source := part.get("configMap"):
                    yield "configmaps", source.get("name", "")
                if source := part.get("secret"):
                    yield "secrets", source.get("name") or source.get("secretName", "")


def _check_host_path(volume: Mapping[str, Any]) -> None:
    path, kind = Path(volume["hostPath"]["path"]), volume["hostPath"].get("type") or ""
    if kind in _HOST_PATH_MADE:
        (path if kind == "DirectoryOrCreate" else path.parent).mkdir(parents=True, exist_ok=True)
        if kind == "FileOrCreate":
            path.touch()
        return
    fits = {"": path.exists(), "Directory": path.is_dir(), "File": path.is_file(), "Socket": path.is_socket()}
    if not fits.get(kind, path.exists()):
        raise VolumeError(
            f'MountVolume.SetUp failed for volume "{volume["name"]}" : hostPath type check failed: {path}'
        )
