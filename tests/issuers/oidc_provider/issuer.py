"""oidc-provider, certified, on Node.js, with the settings of `tests/integration`: JWT access tokens for the resource asked for."""

from contextlib import contextmanager

from issuers.harness import Issuer
from processes import oidc_provider_process


@contextmanager
def running(folder, _resource):
    with oidc_provider_process("login.mjs", folder / "stderr.log") as url:
        yield Issuer(url, subject="alice")
