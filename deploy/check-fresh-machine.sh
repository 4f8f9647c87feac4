#!/usr/bin/env bash
# Checks the promise of `make run`: a new unprivileged user, an empty home and caches, no Node in PATH; a clean clone
# starts and its page answers. Needs root, to make and remove that user.  Usage: deploy/check-fresh-machine.sh [PORT]
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "must run as root: it makes and removes a user" >&2; exit 2; }

repository=$(cd "$(dirname "$0")/.." && pwd)
port=${1:-18080}
user="fresh-court-$$"
home="/home/$user"
bin="$home/bin"

cleanup() {
  status=$?
  if [ "$status" -ne 0 ] && [ -f "$home/run.log" ]; then tail -n 40 "$home/run.log" >&2; fi
  # Only this user's own processes, found by its id.
  if id "$user" >/dev/null 2>&1; then
    for pid in $(ps -o pid= -u "$user"); do kill -TERM "$pid" 2>/dev/null || true; done
    for _ in $(seq 1 40); do
      [ -n "$(ps -o pid= -u "$user")" ] || break
      sleep 1
    done
    for pid in $(ps -o pid= -u "$user"); do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 1
    userdel --remove "$user" 2>/dev/null || userdel --remove --force "$user" || true
    if id "$user" >/dev/null 2>&1; then echo "the user $user could not be removed" >&2; fi
  fi
  exit "$status"
}
trap cleanup EXIT

useradd --create-home --shell /bin/bash "$user"
mkdir "$bin"
# A PATH with what a machine has by itself; Node, where there is one, stays out of it.
for folder in /usr/local/bin /usr/bin /bin; do
  for program in "$folder"/*; do
    case "$(basename "$program")" in node|nodejs|npm|npx|corepack|uv|uvx) ;; *) ln -sf "$program" "$bin/" ;; esac
  done
done
git clone --quiet --no-hardlinks "$repository" "$home/remote-court"
chown -R "$user": "$home"

# The names of certificate and package-index settings pass; everything else of the environment stays outside.
passed=$(env | grep -E '^(PIP_|UV_|NPM_CONFIG_|npm_config_|SSL_CERT|REQUESTS_CA|NODE_EXTRA_CA|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy)' || true)
started=$(date +%s)
readarray -t settings <<<"$passed"
runuser -u "$user" -- env -i HOME="$home" USER="$user" PATH="$bin" LANG=C.UTF-8 COURT_PORT="$port" ${passed:+"${settings[@]}"} \
  make -C "$home/remote-court" run >"$home/run.log" 2>&1 &

for _ in $(seq 1 600); do
  if curl --silent --fail --output /dev/null "http://127.0.0.1:$port/healthz" &&
    curl --silent --fail "http://127.0.0.1:$port/" | grep -q '<div id="app"'; then
    echo "the page answers after $(($(date +%s) - started)) s"
    grep -q '演示法院' "$home/run.log" || { echo "no table of demo sign-ins was printed" >&2; exit 1; }
    exit 0
  fi
  kill -0 $! 2>/dev/null || { echo "make run ended" >&2; exit 1; }
  sleep 1
done
echo "the page did not answer within 10 minutes" >&2
exit 1
