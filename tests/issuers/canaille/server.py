"""Canaille with its memory for a database: `server.py PORT`. Clients register themselves, and alice may log in."""

import sys
import uuid

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import make_server

PORT = int(sys.argv[1])
app = create_app(
    {
        "SECRET_KEY": uuid.uuid4().hex,
        "SERVER_NAME": f"127.0.0.1:{PORT}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory", "FORCE_HTTPS": False},
        "CANAILLE_OIDC": {"DYNAMIC_CLIENT_REGISTRATION_OPEN": True, "REQUIRE_NONCE": False},
    }
)

if __name__ == "__main__":
    with app.app_context():
        alice = models.User(
            user_name="alice", formatted_name="Alice", family_name="A", emails=["alice@example.com"], password="alice"
        )
        Backend.instance.save(alice)
    make_server("127.0.0.1", PORT, app, threaded=True).serve_forever()
