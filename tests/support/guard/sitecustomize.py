"""Python imports this at start-up in every process whose PYTHONPATH holds this folder."""

import os

import loopback_guard

loopback_guard.install(os.environ.get("LOOPBACK_GUARD_LOG"))
