#!/bin/bash
# Measures the release build of the daemon; prints a Markdown table on standard output and progress on standard error.
#
#   scripts/bench.sh [small|large|1g|transfers|tags|all] [--runs N] [--images N] [--mib N]
#
# small: 1,000 images of three platforms with attestations; large: 10,000; 1g: one image of 1 GiB and one of forty layers, loaded,
# pulled, pushed and saved; transfers: the same without the load; tags: tags while eight clients load; all (the default): everything.
# The last line says which of the project's aims are missed.
# The images are generated and the data roots are kept under target/; `all` needs about 8 GiB there and may take an hour, longer where the
# file system discards freed blocks at once.
set -euo pipefail
cd "$(dirname "$0")/.."

piece=all
case "${1:-}" in
    small | large | 1g | transfers | tags | all) piece=$1; shift ;;
    -*) ;;
    "") ;;
    *) echo "usage: scripts/bench.sh [small|large|1g|transfers|tags|all] [--runs N] [--images N] [--mib N]" >&2; exit 2 ;;
esac
exec cargo bench --quiet --bench daemon -- "$piece" "$@"
