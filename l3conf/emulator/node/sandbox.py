"""What the containers of one pod share: network, volumes, name resolution, and how a container is described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l3conf.emulator.apiserver.errors import StatusError
from l3conf.emulator.node.capabilities import capabilities
from l3conf.emulator.node.environment import environment, expand_all, hostname
from l3conf.emulator.node.images import argv, find_image, is_builtin
from l3conf.emulator.node.name_resolution import hosts_file, resolv_conf
from l3conf.emulator.node.volumes import PodVolumes
from l3conf.emulator.node_runtime import ContainerSpec, Mount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from l3conf.emulator.cluster_api import Object
    from l3conf.emulator.node.context import NodeContext
    from l3conf.emulator.node_runtime import Image, PodNetwork
    from l3conf.model.topology import IPAddress

NOT_FOUND = 404


class Sandbox:
    """One pod's surroundings. ``open`` may be called until it succeeds."""

    def __init__(self, context: NodeContext, pod: Object) -> None:
        self.context = context
        self.pod = pod
        self.spec: Object = pod["spec"]
        self.volumes = PodVolumes(context, pod, self.spec, self.lookup)
        self.network: PodNetwork | None = None
        self._volumes_ready = False

    @property
    def addresses(self) -> Sequence[IPAddress]:
        """The pod's addresses; none until the sandbox is open."""
        return self.network.addresses if self.network is not None else ()

    async def open(self) -> None:
        """Make network and volumes. Raises ``VolumeError`` for a volume, anything else for the network."""
        metadata = self.pod["metadata"]
        if self.network is None:
            self.network = await self.context.ground.add_pod(
                metadata["uid"], metadata["name"], host_network=bool(self.spec.get("hostNetwork"))
            )
        if not self._all_builtin():
            self.ensure_volumes()

    def ensure_volumes(self) -> None:
        """Make the volumes; pods whose containers the emulator serves itself need them only for ``exec``."""
        if not self._volumes_ready:
            self.volumes.set_up(self.field_addresses())
            self._volumes_ready = True

    def refresh_volumes(self) -> None:
        """Bring volumes up to date with their sources."""
        if self._volumes_ready:
            self.volumes.refresh(self.field_addresses())

    async def close(self) -> None:
        """Give the network back. Idempotent."""
        if self.network is not None:
            await self.context.ground.remove_pod(self.pod["metadata"]["uid"])
            self.network = None

    def lookup(self, resource: str, name: str) -> Object | None:
        """Find a ConfigMap or Secret of the pod's namespace."""
        try:
            return self.context.api.get(resource, name, self.pod["metadata"]["namespace"])
        except StatusError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    def field_addresses(self) -> dict[str, str]:
        """Return the addresses for the downward API."""
        own = [str(address) for address in self.addresses]
        host = [str(address) for address in self.context.ground.addresses]
        return {
            "status.podIP": own[0] if own else "",
            "status.podIPs": ",".join(own),
            "status.hostIP": host[0] if host else "",
            "status.hostIPs": ",".join(host),
        }

    def container_spec(
        self, container: Mapping[str, Any], image: Image, log: Path | None, command: Sequence[str] | None = None
    ) -> ContainerSpec:
        """Describe a container's process, or a further ``command`` in it.

        Raises ``MissingReferenceError`` or ``VolumeError`` for what it refers to and is not there.
        """
        self.ensure_volumes()
        env = environment(
            self.pod,
            container,
            image_env=image.env,
            api_access=self.context.api_access,
            addresses=self.field_addresses(),
            lookup=self.lookup,
        )
        return ContainerSpec(
            argv=tuple(command) if command is not None else expand_all(argv(image, container), env),
            env=env,
            mounts=(*self.volumes.mounts(container, env), *self._files(container)),
            working_directory=container.get("workingDir") or image.working_directory,
            log=log,
            hostname=hostname(self.pod),
            capabilities=capabilities(container),
        )

    def log_file(self, container: str, attempt: int) -> Path:
        """Return where a container's nth run writes; the last two runs are kept."""
        directory = self.volumes.directory / "logs" / container
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{attempt - 2}.log").unlink(missing_ok=True)
        return directory / f"{attempt}.log"

    def _files(self, container: Mapping[str, Any]) -> list[Mount]:
        taken = {item["mountPath"] for item in container.get("volumeMounts") or ()}
        addresses = [str(address) for address in self.addresses]
        texts = {
            "/etc/hosts": hosts_file(self.pod, addresses, self.context.dns),
            "/etc/resolv.conf": resolv_conf(self.pod, self.context.dns),
        }
        return [
            Mount(source=self.volumes.file(target.rsplit("/", 1)[1], text), target=target)
            for target, text in texts.items()
            if text is not None and target not in taken
        ]

    def _all_builtin(self) -> bool:
        containers = (self.spec.get("initContainers") or []) + self.spec["containers"]
        found = ((find_image(self.context.images, item["image"]), item) for item in containers)
        return all(image is not None and is_builtin(image, item) for image, item in found)
