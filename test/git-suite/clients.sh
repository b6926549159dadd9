#!/usr/bin/env bash
# Every Git client that the tests know, on Debian: installs what is missing, go-git's compiler too, and runs their scenarios.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=()
for package in python3-dulwich python3-pygit2 jgit-cli golang-go golang-github-go-git-go-git-dev; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || packages+=("$package")
done
command -v java >/dev/null || packages+=(default-jre-headless)
if [ ${#packages[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "clients.sh: missing: apt-get install --no-install-recommends ${packages[*]}" >&2; exit 1; }
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
fi
[ -e dist/src/main.js ] || npm run --silent build
exec npx vitest run --project embedded test/scenarios/other-clients-push.test.ts
