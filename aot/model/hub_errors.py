"""What the Hub client's failures mean for the user. No message here quotes a header, a token or a URL's credentials."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from aot.errors import AotError, ErrorId
from aot.model.hub_settings import HubSettings
from aot.model.snapshot import disk_full, unreadable


@contextmanager
def translated(repo_id: str, revision: str | None, hub: HubSettings) -> Iterator[None]:
    """Turn the client's exceptions into ours; in this order, since they inherit from each other and from OSError."""
    import httpx
    from huggingface_hub import errors as theirs

    try:
        yield
    except theirs.GatedRepoError as error:
        raise _gated(repo_id, hub) from error
    except theirs.RepositoryNotFoundError as error:
        raise _missing(repo_id, hub) from error
    except theirs.RevisionNotFoundError as error:
        raise _no_revision(repo_id, revision) from error
    except theirs.HfHubHTTPError as error:
        raise _answered(error.response.status_code, repo_id, hub) from error
    except (theirs.OfflineModeIsEnabled, theirs.LocalEntryNotFoundError) as error:
        raise _unreachable_cause(error, repo_id, hub) from error
    except UnicodeEncodeError:
        # The only text of ours in a header is the token. Its traceback would print it, hence "from None".
        raise _malformed_token() from None
    except httpx.LocalProtocolError:
        raise _malformed_token() from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(hub, type(error).__name__) from error
    except OSError as error:
        raise _disk(error, hub) from error
    except (ValueError, KeyError, TypeError) as error:  # an HTML page with status 200, say from a captive portal
        raise not_a_hub(hub, f"its answer cannot be read ({type(error).__name__})") from error


def offline(repo_id: str, revision: str | None, hub: HubSettings) -> AotError:
    """HF_HUB_OFFLINE is set and the cache lacks the files."""
    at = f" at {revision}" if revision else ""
    return AotError(
        ErrorId.MODEL_OFFLINE,
        reason=f"HF_HUB_OFFLINE is set, and {repo_id}{at} is not in the cache {hub.cache_dir}",
        remedy="Run once without HF_HUB_OFFLINE, point HF_HOME at a cache that holds it, or give a local directory.",
    )


def unreachable(hub: HubSettings, what: str, *, status: int | None = None) -> AotError:
    """No usable answer from the endpoint."""
    return AotError(
        ErrorId.HUB_UNREACHABLE,
        reason=f"the Hub at {hub.shown_endpoint} cannot be reached ({what})",
        remedy="Check the network, HF_ENDPOINT and the proxy variables; for a local model give its directory's path.",
        facts={"status": status} if status else None,
    )


def is_momentary(error: AotError) -> bool:
    """Whether the Hub said that it is busy or restarting, so that asking again may help."""
    return error.facts.get("status") in (429, 500, 502, 503, 504)


def not_a_hub(hub: HubSettings, what: str) -> AotError:
    """Something answers, but it does not speak the Hub's protocol."""
    return AotError(
        ErrorId.HUB_UNREACHABLE,
        reason=f"{hub.shown_endpoint} does not answer like a Hugging Face Hub: {what}",
        remedy="Check HF_ENDPOINT and the proxy variables.",
    )


def _gated(repo_id: str, hub: HubSettings) -> AotError:
    token = "the account of the given token has no access" if hub.token_given else "no HF_TOKEN is set"
    return AotError(
        ErrorId.MODEL_GATED,
        reason=f"{repo_id} is gated: its owner grants access per account, and {token}",
        remedy=f"Ask for access at {hub.shown_endpoint}/{repo_id}, then set HF_TOKEN to a token of that account.",
    )


def _missing(repo_id: str, hub: HubSettings) -> AotError:
    return AotError(
        ErrorId.MODEL_NOT_FOUND,
        reason=f"{repo_id} does not exist on {hub.shown_endpoint}, or it is private "
        f"{'and the given token may not read it' if hub.token_given else 'and no HF_TOKEN is set'}; "
        "there is no local directory of that name either",
        remedy="Check the spelling; for a private model set HF_TOKEN; for a local one check the directory.",
    )


def _no_revision(repo_id: str, revision: str | None) -> AotError:
    return AotError(
        ErrorId.REVISION_NOT_FOUND,
        reason=f"{repo_id} has no revision {revision!r}",
        remedy="Give a branch, a tag or a full 40-digit commit that the repository has.",
    )


def _answered(status: int, repo_id: str, hub: HubSettings) -> AotError:
    if status == 401:
        return AotError(
            ErrorId.HUB_TOKEN_REJECTED,
            reason=f"{hub.shown_endpoint} rejected the token (401)",
            remedy="Set HF_TOKEN to a valid token, or unset it for a public model.",
        )
    if status == 403:
        return AotError(
            ErrorId.MODEL_GATED,
            reason=f"{hub.shown_endpoint} denied access to {repo_id} (403)",
            remedy="Use a token with read permission for this repository.",
        )
    return unreachable(hub, f"it answered {status}", status=status)


def _unreachable_cause(error: Exception, repo_id: str, hub: HubSettings) -> AotError:
    """The client reports a failed connection as a missing cache entry; the cause says which of the two it was."""
    cause = error.__cause__
    status = getattr(getattr(cause, "response", None), "status_code", None)
    if status is not None:
        return _answered(status, repo_id, hub)
    if type(cause).__name__ == "FileMetadataError":
        return not_a_hub(hub, "its answer lacks the headers of a Hub")
    return unreachable(hub, type(cause or error).__name__)


def _malformed_token() -> AotError:
    return AotError(
        ErrorId.HUB_TOKEN_REJECTED,
        reason="the Hub token contains characters that cannot be sent",
        remedy="Set HF_TOKEN again, without line breaks or other stray characters.",
    )


def _disk(error: OSError, hub: HubSettings) -> AotError:
    if error.errno == errno.ENOSPC:
        return disk_full(hub.cache_dir, "Free some space there, or point HF_HOME to a larger disk.")
    if isinstance(error, ConnectionError):
        return unreachable(hub, type(error).__name__)
    return unreadable(hub.cache_dir, error)
