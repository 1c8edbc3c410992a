#!/usr/bin/env bash
# Runs tests/clients: clients that others wrote, as they are, against a gateway of this checkout. They are installed
# into .venv-clients, as requirements-clients.lock says, because what they need must not be mixed with what fixgw needs.
# Run again, it does not install anew. Arguments are pytest's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=.venv-clients
STAMP=$VENV/.set-up

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# Changes when what decides what the environment holds does; it cannot be moved, so the directory is in it.
wanted() { { pwd && cat requirements-clients.lock scripts/clients.sh; } | sha256sum; }

if ! [[ -f $STAMP && $(<"$STAMP") == "$(wanted)" ]]; then
    echo "clients: installing clients that others wrote into $VENV (25 s when measured)"
    .venv/bin/python -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements-clients.lock
    wanted >"$STAMP"
fi
exec .venv/bin/python -m pytest -n0 "${@:-tests/clients}"
