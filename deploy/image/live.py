"""HEALTHCHECK of the image: ends with 0 while the worker's `/livez`, or the path given, says so.

The port is that of the worker's own settings. Nothing of the package is imported, because that
costs a second of processor time, and this runs every half minute.
"""

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml

USUAL_PORT = 9108
PATIENCE_S = 4.0


def port() -> int:
    """Where the worker serves: from the environment, else from its file, else the usual one."""
    named = os.environ.get("AFTERGUARD_HTTP__PORT")
    if named:
        return int(named)
    file = Path(os.environ.get("AFTERGUARD_CONFIG", ""))
    settings = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    http = (settings or {}).get("http") or {}
    return int(http.get("port", USUAL_PORT))


def main() -> int:
    """0 when the worker says yes, else 1 with a sentence."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/livez"
    address = f"http://127.0.0.1:{port()}{path}"
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S):
            return 0
    except urllib.error.HTTPError as error:
        print(f"{address} answers {error.code}: {error.read(500).decode(errors='replace')}")
    except OSError as error:
        print(f"{address} does not answer: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
