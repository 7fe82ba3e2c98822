#!/bin/sh
# Find a Python 3.11 to 3.13 that really runs (a shim may exist and not answer),
# then hand over to bootstrap.py, which needs nothing but the standard library.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
suits='import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else 1)'
for candidate in ${PYTHON:-} python3 python3.12 python3.11 python3.13 \
    /usr/bin/python3 /usr/local/bin/python3; do
  if "$candidate" -c "$suits" >/dev/null 2>&1; then
    exec "$candidate" "$here/bootstrap.py" "$@"
  fi
done
echo "exlake needs Python 3.11, 3.12 or 3.13 and found none on this machine." >&2
echo "Next: 'apt-get install python3 python3-venv' on Debian 12 or Ubuntu 24.04," >&2
echo "      or set PYTHON to the interpreter to use, then run make setup again." >&2
exit 1
