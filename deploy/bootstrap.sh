#!/usr/bin/env bash
# Brings a fresh clone to the point where it can run: bootstrap.sh start [options of the recorder] | test [options of jest] | prepare | modules | servers
# `modules` is `prepare` without the build; `servers` installs what the tests start and nothing else, beside anything that installs no packages.
# Installs what is missing where it may (root, or sudo without a password, on Debian and Ubuntu); otherwise says what to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly mode=${1:?"usage: bootstrap.sh start|test|prepare|modules|servers [options]"}
shift
readonly minimum=20.17.0

say() { printf 'sealtape: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Ends a process group, by force when it takes longer than three seconds, and this script.
abandon() {
  local tries=15
  kill -- "-$1" 2>/dev/null || true
  while [ $((tries -= 1)) -gt 0 ] && kill -0 -- "-$1" 2>/dev/null; do sleep 0.2; done
  kill -KILL -- "-$1" 2>/dev/null || true
  printf '\n' >&2
  exit 130
}

# Runs a long step with its output in a file; shows that it lives, and what went wrong when it fails.
step() {
  local what=$1 log status=0 child started=$SECONDS
  shift
  log=$(mktemp -t sealtape-bootstrap.XXXXXX)
  # In a process group of its own, so that a signal ends it with everything it has started.
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  child=$!
  set +m
  trap 'abandon "$child"' INT TERM HUP
  if [ -t 2 ]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\rsealtape: %s (%d s) ' "$what" $((SECONDS - started)) >&2
      sleep 0.5
    done
    printf '\n' >&2
  else
    say "$what"
  fi
  wait "$child" || status=$?
  trap - INT TERM HUP
  if [ "$status" -ne 0 ]; then
    grep -m 8 '^npm error' "$log" >&2 || tail -n 25 "$log" >&2
    say "failed: $what (whole output: $log)"
    return "$status"
  fi
  rm -f "$log"
}

check_node() {
  command -v node >/dev/null || fail "Node.js $minimum or newer is needed, none was found"
  node -e '
    const want = process.argv[1].split(".").map(Number), have = process.versions.node.split(".").map(Number);
    const at = want.findIndex((part, i) => part !== have[i]);
    process.exit(at === -1 || have[at] > want[at] ? 0 : 1)' "$minimum" ||
    fail "Node.js $minimum or newer is needed, this is $(node --version)"
}

# Words to put before apt-get, or failure where packages cannot be installed from here.
privilege() {
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" = 0 ]; then return 0; fi
  command -v sudo >/dev/null && sudo -n true 2>/dev/null && echo "sudo -n"
}

# install_packages PACKAGE...: Debian packages, or one line that says what is missing.
install_packages() {
  local words
  words=$(privilege) || fail "please install: $* (for example: sudo apt-get install $*)"
  step "installing $*" sh -c "$words apt-get update -qq && DEBIAN_FRONTEND=noninteractive $words apt-get install -y -qq --no-install-recommends $*"
}

# lacking COMMAND PACKAGE ...: pairs; prints the packages whose command is missing, a line each.
lacking() {
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || ls /usr/lib/*/"$1" >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1 || printf '%s\n' "$2"
    shift 2
  done
}

# need COMMAND PACKAGE ...: pairs; installs the packages whose command is missing.
need() {
  local missing=()
  mapfile -t missing < <(lacking "$@")
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# The same for servers that only tests start, as processes of their own: their packages must not start services of this machine.
need_asleep() {
  local words status=0 policy=/usr/sbin/policy-rc.d
  if [ -z "$(lacking "$@")" ]; then return; fi
  if [ -e "$policy" ] || ! words=$(privilege); then need "$@"; return; fi
  $words sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
  (need "$@") || status=$?
  $words rm -f "$policy"
  return "$status"
}

# What tests run: tools, and servers in processes of their own.
install_servers() {
  need redis-server redis-server sipp sip-tester sox sox ffprobe ffmpeg espeak-ng espeak-ng \
    initdb postgresql openssl openssl shasum perl busybox busybox dash dash shellcheck shellcheck tshark tshark unzip unzip strace strace \
    libbcg729.so.0 libbcg729-0
  need_asleep smbd samba smbclient smbclient sshd openssh-server radosgw radosgw ceph-mon ceph-mon ceph-osd ceph-osd
}

install_modules() {
  [ node_modules/.package-lock.json -nt package-lock.json ] && return
  if ! step "installing npm packages, one or two minutes" npm ci --no-audit --no-fund; then
    if command -v python3 >/dev/null && command -v make >/dev/null && command -v g++ >/dev/null; then exit 1; fi
    # No ready-made binary of sqlite3 for this platform, or none in reach: it is compiled, which takes compilers.
    need python3 python3 make make g++ g++
    step "installing npm packages again, with compilers" npm ci --no-audit --no-fund
  fi
  node -e 'require("sqlite3")' 2>/dev/null || {
    need python3 python3 make make g++ g++
    step "compiling sqlite3" npm rebuild sqlite3
  }
  touch node_modules/.package-lock.json
}

build() {
  if [ -e dist/.built ] && [ -z "$(find src verify-cli package.json tsconfig.json tsconfig.build.json -newer dist/.built -print -quit)" ]; then return; fi
  # Files of sources that are gone must not linger.
  rm -rf dist
  step "building" node node_modules/typescript/bin/tsc -p tsconfig.build.json
  chmod +x dist/src/cli.js dist/verify-cli/main.js
  touch dist/.built
}

check_node
case $mode in
  start)
    need redis-server redis-server
    install_modules
    build
    # Room for what the calls that are being set up make and forget: with V8's 16 MB it copies what is still needed over and over.
    read -ra options <deploy/node-options
    exec node "${options[@]}" dist/src/main.js "$@"
    ;;
  test)
    install_servers
    install_modules
    build
    exec node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js "$@"
    ;;
  prepare | modules)
    need redis-server redis-server
    install_modules
    if [ "$mode" = prepare ]; then build; fi
    ;;
  servers) install_servers ;;
  *) fail "unknown mode $mode: start, test, prepare, modules or servers" ;;
esac
