"""A kind CLI that answers like the real one: makes nodes in whatever engine ``DOCKER_HOST`` names, and no clusters.

Words and steps follow kind 0.29 (``pkg/cluster/internal/create``, ``pkg/internal/cli/status.go``); containers are made
as ``pkg/cluster/internal/providers/docker/provision.go`` makes them. ``STUB_KIND`` names a folder:
``kubeconfigs/<cluster>`` is what ``get kubeconfig`` prints, ``fail`` and ``hang`` hold words
(``create l3conf-…-east``) that make a call end so, and ``calls`` is written.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import sys
import time
from pathlib import Path
from urllib.parse import quote

import yaml

HOME = Path(os.environ.get("STUB_KIND", "."))
IMAGE = "kindest/node:v1.33.1"


class Docker(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def docker(method: str, path: str, body: object = None) -> object:
    connection = Docker("stub")
    connection.request(
        method, path, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    data = answer.read()
    if answer.status >= 400:
        message = json.loads(data)["message"]
        sys.exit(f"ERROR: failed to create cluster: command failed with error: exit status 125\nError: {message}")
    return json.loads(data) if data else None


def listed(name: str) -> list[str]:
    return (HOME / name).read_text().splitlines() if (HOME / name).exists() else []


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def create(name: str, config: Path) -> None:
    spec = yaml.safe_load(config.read_text())
    network = os.environ["KIND_EXPERIMENTAL_DOCKER_NETWORK"]
    say(f'Creating cluster "{name}" ...')
    say(f" • Ensuring node image ({IMAGE}) 🖼  ...\n ✓ Ensuring node image ({IMAGE}) 🖼")
    say("WARNING: Overriding docker network due to KIND_EXPERIMENTAL_DOCKER_NETWORK")
    say(f" • Preparing nodes {'📦 ' * len(spec['nodes'])}  ...")
    counts: dict[str, int] = {}
    for node in spec["nodes"]:
        role = node["role"]
        counts[role] = counts.get(role, 0) + 1
        container = f"{name}-{role}{counts[role] if counts[role] > 1 else ''}"
        labels = {"io.x-k8s.kind.cluster": name, "io.x-k8s.kind.role": role}
        body = {
            "Image": node.get("image", IMAGE),
            "Hostname": container,
            "Labels": labels,
            "Volumes": {"/var": {}},
            "HostConfig": {"NetworkMode": network, "Privileged": True, "Binds": ["/lib/modules:/lib/modules:ro"]},
        }
        docker("POST", f"/v1.41/containers/create?name={quote(container)}", body)
        docker("POST", f"/v1.41/containers/{container}/start")
        if f"half {name}" in listed("fail"):
            say(" ✗ Preparing nodes 📦")
            sys.exit('ERROR: failed to create cluster: could not find a log line that matches "Reached target"')
    say(f" ✓ Preparing nodes {'📦 ' * len(spec['nodes'])}\n ✓ Writing configuration 📜\n ✓ Starting control-plane 🕹️")
    say(" ✓ Installing CNI 🔌\n ✓ Installing StorageClass 💾\n ✓ Joining worker nodes 🚜")
    say(f'Set kubectl context to "kind-{name}"')


def main(argv: list[str]) -> None:
    with (HOME / "calls").open("a") as calls:
        calls.write(" ".join(argv) + "\n")
    options = dict(itertools.pairwise(argv))
    name = options.get("--name", "kind")
    if f"{argv[0]} {name}" in listed("hang"):
        time.sleep(600)
    if f"{argv[0]} {name}" in listed("fail"):
        say(" ✗ Preparing nodes 📦\nERROR: failed to create cluster: the stub was told to fail\n")
        sys.exit(1)
    match argv[:2]:
        case ["version", *_]:
            sys.stdout.write("\n".join(listed("version")) or "kind v0.29.0 go1.24.2 linux/amd64\n")
        case ["create", "cluster"]:
            create(name, Path(options["--config"]))
        case ["get", "kubeconfig"]:
            sys.stdout.write((HOME / "kubeconfigs" / name).read_text())
        case ["load", "docker-image"]:
            say(f'Image: "{argv[2]}" with ID "sha256:0" not yet present on node "{name}-control-plane", loading...')
        case _:
            sys.exit(f'ERROR: unknown command "{argv[0]}" for "kind"')


if __name__ == "__main__":
    main(sys.argv[1:])
