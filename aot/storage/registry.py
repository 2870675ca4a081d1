"""Ask an OCI registry which digest a tag has: one HEAD request, plus one for a token where the registry wants it.

Protocol: OCI distribution specification 1.1, "Checking if content exists in the registry", and the token scheme of
https://distribution.github.io/distribution/spec/auth/token/. Credentials come from docker's own configuration
(``docker login`` and credential helpers), through the Docker SDK, and never enter a message.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import urllib.parse
import warnings
from typing import TYPE_CHECKING

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    import httpx

ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
TIMEOUT_SECONDS = 20.0
_REFERENCE = re.compile(r"(?P<host>[^/]+)/(?P<repository>[a-z0-9._/-]+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HELPER = re.compile(r"docker-credential-[\w.-]+\w")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


def is_reference(image: str) -> bool:
    """Whether ``image`` is spelled ``host/repository:tag``."""
    return _REFERENCE.fullmatch(image) is not None


def resolve_digest(image: str) -> str:
    """The digest that ``host/repository:tag`` has now.

    Raises ``REGISTRY_UNREACHABLE`` (no answer) or ``REGISTRY_REFUSED`` (an answer, but not a digest).
    """
    import httpx

    match = _REFERENCE.fullmatch(image)
    if not match:
        raise _refused(image, "it is not of the form host/repository:tag", "spell the image like that")
    host, repository, tag = match.group("host", "repository", "tag")
    scheme = "http" if _is_loopback(host) else "https"
    url = f"{scheme}://{host}/v2/{repository}/manifests/{tag}"
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True) as client:
            response = client.head(url, headers={"Accept": ACCEPT})
            if response.status_code == httpx.codes.UNAUTHORIZED:
                credentials, helper = _docker_credentials(host)
                authorization = _authorise(client, response, credentials)
                response = client.head(url, headers={"Accept": ACCEPT, "Authorization": authorization})
                if helper and response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
                    raise _without_helper(image, helper)
    except httpx.HTTPError as problem:
        raise AotError(
            ErrorId.REGISTRY_UNREACHABLE,
            reason=f"the registry of {image} did not answer ({type(problem).__name__})",
            remedy="check the network and proxy settings, or lock a mirror: `aot toolchain lock NAME --image REPO:TAG`",
        ) from problem
    return _digest_in(response, image)


def _digest_in(response: httpx.Response, image: str) -> str:
    digest: str = response.headers.get("Docker-Content-Digest", "")
    if response.status_code == 200 and _DIGEST.fullmatch(digest):
        return digest
    why = {
        401: ("the registry wants credentials", "run `docker login` for it"),
        403: ("the registry forbids it", "ask for read access, or `docker login` as somebody who has it"),
        404: ("there is no such tag", "check the spelling of repository and tag"),
        429: ("the registry limits the rate of requests", "wait, or use a mirror"),
    }.get(response.status_code, (f"the answer was HTTP {response.status_code} without a digest", "use another mirror"))
    raise _refused(image, *why)


def _refused(image: str, why: str, remedy: str) -> AotError:
    return AotError(ErrorId.REGISTRY_REFUSED, reason=f"cannot resolve {image}: {why}", remedy=remedy)


def _without_helper(image: str, helper: str) -> AotError:
    return _refused(
        image,
        f"the registry wants credentials, and they cannot be had from {helper}, which docker's configuration names",
        f"install {helper}, or take it out of docker's config.json (credsStore, credHelpers) and run `docker login`",
    )


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _authorise(client: httpx.Client, challenged: httpx.Response, credentials: tuple[str, str] | None) -> str:
    """The Authorization header that a 401 asks for, anonymous without credentials."""
    challenge = challenged.headers.get("WWW-Authenticate", "")
    if not challenge.lower().startswith("bearer"):
        return "Basic " + base64.b64encode(":".join(credentials).encode()).decode() if credentials else ""
    parameters = dict(_CHALLENGE.findall(challenge))
    realm = urllib.parse.urlsplit(parameters.pop("realm", ""))
    if realm.scheme != "https" and not _is_loopback(realm.netloc):
        return ""  # a registry must not talk us into sending credentials in clear text
    answer = client.get(realm.geturl(), params=parameters, auth=credentials)
    try:
        fields = answer.json() if answer.status_code == 200 else {}
    except ValueError:
        fields = {}
    return f"Bearer {fields.get('token') or fields.get('access_token') or ''}"


def _docker_credentials(host: str) -> tuple[tuple[str, str] | None, str | None]:
    """What docker knows for ``host``, and the credential helper that should have known but cannot be asked.

    A configuration that names a helper long uninstalled is common; most images can be read without credentials.
    """
    import docker.auth
    import docker.errors

    try:
        with warnings.catch_warnings(action="ignore"):  # the SDK warns of a missing helper by itself
            found = docker.auth.load_config().resolve_authconfig(host) or {}
    except docker.errors.DockerException as problem:
        helper = _HELPER.search(str(problem))  # of its words only the name: they may quote what the helper printed
        return None, helper[0] if helper else "its credential helper"
    name, secret = found.get("username"), found.get("password")
    return ((name, secret) if name and secret else None), None
