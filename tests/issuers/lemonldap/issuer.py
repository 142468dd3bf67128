"""LemonLDAP::NG, Debian's, under plackup: JWT access tokens, RS256, of an issuer with a slash at its end.

It reads no `resource`: the operator writes the audience into the client. So a client belongs to one resource, and the audience
of its ID tokens holds that resource as well.
"""

import json
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from code_login import REDIRECT_URI
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from issuers.harness import Issuer, installed, process
from processes import HOST, free_port

from mcp_oauth2_deps.testing import login_headless

HERE = Path(__file__).parent
PORTAL = Path("/usr/share/lemonldap-ng/portal")
# One of the people of its demonstration mode; passwords there are the names.
USER = "dwho"


def _storage(folder, name):
    places = {"Directory": folder / name, "LockDirectory": folder / name / "lock"}
    places["LockDirectory"].mkdir(parents=True)
    return {option: str(path) for option, path in places.items()}


def _client(name, audience):
    options = {
        "ClientID": name,
        "Public": 1,
        "RequirePKCE": 1,
        "RedirectUris": REDIRECT_URI,
        "AccessTokenJWT": 1,
        "AccessTokenSignAlg": "RS256",
        "AdditionalAudiences": audience,
        "IDTokenSignAlg": "RS256",
        "RefreshToken": 1,
        "UserIDAttr": "uid",
    }
    return {f"oidcRPMetaDataOptions{option}": value for option, value in options.items()}


def _configuration(folder, url, clients):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    cache = {"namespace": "sessions", "default_expires_in": 600, "cache_root": str(folder / "cache"), "cache_depth": 1}
    return {
        "cfgNum": 1,
        "cfgDate": 1,
        "captcha": "::Captcha::None",
        "portal": url,
        "domain": HOST,
        "securedCookie": 0,
        "authentication": "Demo",
        "userDB": "Demo",
        "passwordDB": "Null",
        "registerDB": "Null",
        "exportedVars": {"uid": "uid"},
        "whatToTrace": "uid",
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": _storage(folder, "sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": _storage(folder, "psessions"),
        "localSessionStorage": "Cache::FileCache",
        "localSessionStorageOptions": cache,
        "locationRules": {},
        "exportedHeaders": {},
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServicePrivateKeySig": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
        "oidcServicePublicKeySig": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "oidcServiceKeyIdSig": "portal",
        "oidcRPMetaDataOptions": {name: _client(name, audience) for name, audience in clients.items()},
        "oidcRPMetaDataExportedVars": {name: {} for name in clients},
    }


def _ini(folder):
    return f"""
[all]
logLevel = warn
[configuration]
type = File
dirName = {folder}
[portal]
templateDir = {PORTAL}/templates
languages = en
"""


@contextmanager
def running(folder, resource):
    plackup = installed("plackup", "liblemonldap-ng-portal-perl", "2.")
    port = free_port()
    url = f"http://{HOST}:{port}/"
    clients = {"here": resource, "elsewhere": f"{resource.removesuffix('/mcp')}/other"}
    (folder / "lmConf-1.json").write_text(json.dumps(_configuration(folder, url, clients)), "utf-8")
    (folder / "lemonldap-ng.ini").write_text(_ini(folder), "utf-8")
    command = [plackup, "--host", HOST, "--port", port, "--env", "deployment", PORTAL / "htdocs" / "index.psgi"]
    ready = f"{url}.well-known/openid-configuration"
    variables = {"LLNG_DEFAULTCONFFILE": str(folder / "lemonldap-ng.ini"), "PERL5LIB": str(HERE / "perl")}
    with process(command, log=folder / "plackup.log", ready=ready, **variables):
        yield Issuer(
            url,
            subject=USER,
            walk=partial(login_headless, user=USER),
            settings={"GUARDED_EVERY_CALL": "openid mcp:use"},
            client={"client_id": "here"},
            other_client={"client_id": "elsewhere"},
        )
