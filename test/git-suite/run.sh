#!/usr/bin/env bash
# git's own HTTP tests, each file twice: straight to Apache, and through the gateway. See README.md beside this file.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
  cat <<'TEXT'
Usage: test/git-suite/run.sh [--work DIR] [--only t5541,t5545,…] [--through-only] [--out FILE]

  --work DIR       keep git's source, its build and every log there, and use them again. Default: a directory that is removed
  --only LIST      these files alone
  --through-only   not the direct run: takes the last one's results from --work
  --out FILE       also write the table there, as Markdown
TEXT
}

work='' only='' through_only='' out=''
while [ $# -gt 0 ]; do
  case "$1" in
    --work) work=$2; shift ;;
    --only) only=$2; shift ;;
    --through-only) through_only=1 ;;
    --out) out=$2; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

# Every file of git 2.39 that uses lib-httpd.sh but three: t5540 pushes by WebDAV, where no server and no gateway sees a push as one
# thing; t5557 downloads a file from a web server that knows nothing of Git; lib-git-svn.sh is about Subversion.
files='t0410 t5411 t5500 t5510 t5537 t5539 t5541 t5542 t5545 t5548 t5549 t5550 t5551 t5558 t5561 t5581 t5601 t5616 t5619 t5700
  t5702 t5703 t5812'
[ -z "$only" ] || files=${only//,/ }

die() { echo "run.sh: $*" >&2; exit 1; }

# --- What is needed ---------------------------------------------------------------------------------------------------------

packages=()
need() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || packages+=("$2"); }
need /usr/sbin/apache2 apache2-bin
need dpkg-source dpkg-dev
need gcc gcc
need make make
need /usr/include/zlib.h zlib1g-dev
need curl curl
need gpg gnupg
need perl perl
need /usr/share/doc/libio-pty-perl libio-pty-perl
if [ ${#packages[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] || die "missing: apt-get install --no-install-recommends ${packages[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >/dev/null
fi
version=$(dpkg-query -W -f '${source:Version}' git) || die "git is not Debian's here: its tests would be another version's"

# git's web server tests refuse to run as root.
as_tester=()
if [ "$(id -u)" = 0 ]; then as_tester=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi

gateway=''
finish() {
  [ -z "$gateway" ] || { kill "$gateway" 2>/dev/null || true; wait "$gateway" 2>/dev/null || true; }
  [ -n "${keep:-}" ] || rm -rf "$work"
}
trap finish EXIT
if [ -n "$work" ]; then
  keep=1
  mkdir -p "$work"
  work=$(cd "$work" && pwd)
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/sallyport-git-suite-XXXXXX")
fi
chmod 755 "$work"
echo "git $version, work in $work"

# --- git's source and what its tests need of it -----------------------------------------------------------------------------

# With package lists of its own: nothing of this machine's apt is changed, and nobody needs to be root for it.
fetch_source() {
  mkdir -p "$work/lists/partial"
  local key=/usr/share/keyrings/debian-archive-keyring.gpg at suite
  for at in "http://deb.debian.org/debian bookworm bookworm-updates" "http://deb.debian.org/debian-security bookworm-security"; do
    read -r at suite <<<"$at"
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$at" "$suite" "$key"
  done >"$work/source.sources"
  local apt=(-q -o "Dir::Etc::sourcelist=$work/source.sources" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root -o Debug::NoLocking=1)
  apt-get "${apt[@]}" update
  (cd "$work" && apt-get "${apt[@]}" --only-source source "git=$version")
  rm -rf "$work/git"
  mv "$work"/git-[0-9]*/ "$work/git"
}

if [ ! -x "$work/git/t/helper/test-tool" ]; then
  fetch_source >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log"; die "git's source could not be got"; }
  {
    nice make -C "$work/git" -j"$(nproc)" CFLAGS=-O1 NO_OPENSSL=1 NO_GETTEXT=1 t/helper/test-tool t/helper/test-fake-ssh \
      GIT-BUILD-OPTIONS &&
      make -C "$work/git/templates" all
  } >"$work/make.log" 2>&1 || { tail -n 20 "$work/make.log"; die "git's test-tool could not be built"; }
  (
    cd "$work/git/t"
    # At the end of prepare_httpd's addresses, so that both runs go through the same file.
    sed -i -e '/^\tHTTPD_URL_USER_PASS=/a\	. "$SALLYPORT_THROUGH"' lib-httpd.sh
    # What the gateway asks by itself (its cache) says so in its User-Agent; the tests' access log is about the client's requests.
    sed -i -e 's|^CustomLog access.log common$|& "expr=! (%{HTTP_USER_AGENT} =~ /gateway-internal/)"|' lib-httpd/apache.conf
    # Tests that write the server's address out instead of using the variable for it, and some that know how long its path is: of a
    # cookie, of a request's first line, of a link that climbs out of a directory named as the address.
    sed -i -e 's|http://127.0.0.1:$LIB_HTTPD_PORT/|$HTTPD_URL/|' t5541-*.sh t5703-*.sh
    sed -i -e '/expect_cookies.txt <</s/\\EOF/EOF/' -e 's|FALSE\t\(/smart_cookies/repo.git\)|FALSE\t$HTTPD_PATH\1|' \
      -e 's,> \(GET\|POST\) /smart/,> \1 $HTTPD_PATH/smart/,' t5551-*.sh
    sed -i -e 's|ln -s "\.\./|ln -s "$HTTPD_UP../|' t5619-*.sh
    # That file also compares every header, and has a list of those that depend on the web server: two more.
    sed -i -e 's|^\(\t*\)/^\[><\] upgrade: /d$|&\n\1/^> sallyport-token: /d\n\1/^< keep-alive: /d|' t5551-*.sh
    # Bundles that a user names by hand lie on a web server of their own: Apache is one.
    sed -i -e 's/\(--bundle-uri="\|uri = \)$HTTPD_URL/\1$HTTPD_FILES/' t5558-*.sh
    grep -q SALLYPORT_THROUGH lib-httpd.sh && grep -q gateway-internal lib-httpd/apache.conf
  ) || die "git's t/lib-httpd is not what this script knows how to change"
fi

# --- The gateway ------------------------------------------------------------------------------------------------------------

port_of() { # As test_set_port in git's t/test-lib-functions.sh.
  local number=${1#t}
  number=$((10#$number))
  if [ "$number" -lt 1024 ]; then number=$((number + 10000)); fi
  echo "$number"
}

write_config() {
  echo 'connections:'
  for file in $files; do
    echo "  $file: { kind: git, url: \"http://127.0.0.1:$(port_of "$file")/\", credential: passthrough, dumb: pass, allow: [\"*\"] }"
  done
  echo 'pushes:'
  echo '  - { repositories: ["**"], secrets: observe, namespaces: ["refs/**"], pushOptions: ["*"] }'
}

start_gateway() {
  [ -e "$root/dist/src/main.js" ] || (cd "$root" && npm run --silent build)
  rm -rf "$work/data"
  mkdir -p "$work/data"
  write_config >"$work/sallyport.yaml"
  export SALLYPORT_DATA="$work/data" SALLYPORT_LISTEN=127.0.0.1:0
  node "$root/bin/sallyport.js" serve --config "$work/sallyport.yaml" >"$work/gateway.out" 2>"$work/gateway.log" &
  gateway=$!
  for _ in $(seq 600); do
    url=$(sed -n 's/.*listens on *\(http:[^ ]*\).*/\1/p' "$work/gateway.out")
    [ -z "$url" ] || break
    kill -0 "$gateway" 2>/dev/null || { cat "$work/gateway.out" "$work/gateway.log"; die "the gateway did not start"; }
    sleep 0.1
  done
  token=$(node "$root/bin/sallyport.js" token create --config "$work/sallyport.yaml" --user suite@example.com --for git)
}

# --- The runs ---------------------------------------------------------------------------------------------------------------

run_file() { # mode file
  local mode=$1 script
  script=$(basename "$(compgen -G "$work/git/t/$2-*.sh")")
  local results="$work/$mode"
  rm -rf "$results/$2" && mkdir -p "$results/$2"
  [ "$(id -u)" != 0 ] || chown nobody:nogroup "$results/$2"
  local environment=(PATH="$PATH" LANG=C GIT_TEST_INSTALLED="$(dirname "$(command -v git)")" GIT_TEST_HTTPD=true
    TEST_NO_MALLOC_CHECK=1 TEST_OUTPUT_DIRECTORY="$results/$2" SALLYPORT_THROUGH="$work/through.sh")
  [ "$mode" = direct ] || environment+=(SALLYPORT_URL="$url" SALLYPORT_TOKEN="$token")
  (
    cd "$work/git/t"
    timeout 900 nice "${as_tester[@]}" env -i "${environment[@]}" HOME=/nonexistent \
      sh "./$script" --verbose-log -x >"$results/$2.tap" 2>"$results/$2.err" </dev/null || true
  )
  # A file that ended early has no plan, and what it did not get to has not passed.
  grep -q '^1\.\.' "$results/$2.tap" || echo "not ok - $2 ended before its end" >>"$results/$2.tap"
}

# Where the tests' user can read it: the clone itself may be in somebody's own directory.
cp "$here/through.sh" "$work/through.sh"
url='' token=''
start_gateway
taps=()
for file in $files; do
  [ -n "$through_only" ] || run_file direct "$file"
  run_file through "$file"
  pair=("$work/direct/$file.tap" "$work/through/$file.tap")
  taps+=("${pair[@]}")
  awk -f "$here/report.awk" "${pair[@]}" | sed -n -e "/^| t/p" -e '/^- /p'
done

echo
awk -f "$here/report.awk" "${taps[@]}" | tee ${out:+"$out"}
