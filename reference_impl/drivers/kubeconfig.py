"""HTTP for hooks and commands: servers, certificates and credentials as people's kubeconfigs name them.

The only module that knows lightkube, which reads kubeconfigs and runs their credential plug-ins. Its import costs
as much as all else that a short-lived agent does at its start, so agents do without (ADR 30).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from lightkube import ConfigError, KubeConfig
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.models import User

from reference_impl.drivers.http_client import HTTPClient

if TYPE_CHECKING:
    from pathlib import Path


class KubeconfigError(Exception):
    """The file does not say how to reach a cluster."""


def kubeconfig_client(path: Path, context: str = "", *, patience: float) -> HTTPClient:
    """Return the way to the server that a context of a kubeconfig names; "" for the current one.

    ``patience``: seconds that the server may take to answer.
    """
    try:
        config = KubeConfig.from_file(path)
        single = config.get(context_name=context) if context else config.get()
        if single is None:
            raise KubeconfigError("no current context")
        user = single.user or User()
        verify = verify_cluster(single.cluster, user, single.abs_file, trust_env=False)
        return HTTPClient(single.cluster.server, verify, user_auth(user), patience, auth_errors=(ConfigError,))
    except (ConfigError, OSError, LookupError, TypeError, ValueError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{type(error).__name__}: {error}") from None
