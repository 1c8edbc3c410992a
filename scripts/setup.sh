#!/usr/bin/env bash
# Makes .venv with this project and all it needs, as the lock files say. Run again, it does nothing; after an
# interruption it mends what is missing.
#
# quickfix comes as source only. It is compiled once per machine, Python and set of flags; the wheel is kept in
# $FIXGW_WHEELS (default: ~/.cache/fixgw/wheels) for the next checkout. PYTHON=... chooses the interpreter
# of a new .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Chosen by measuring: compiling took 59 s of processor time and 1.6 GB (at -O2 102 s and 2.2 GB, at quickfix's own
# -O3 -g 161 s and 2.8 GB), and an acceptor built so answers 95% as many messages a second as one built with -O3.
# -O0 would save 12 s and cost two thirds of the speed. -g0 leaves out 60 MB of debugging data. The last two are
# Python's own flags, which CXXFLAGS would otherwise take away.
FLAGS="-O1 -g0 -DNDEBUG -fwrapv"
MEASURED="67 s when measured"

VENV=.venv
STAMP=$VENV/.set-up
PROGRESS_SECONDS=15

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { echo "setup: $*"; }

# Changes when anything that decides what .venv holds does; the directory is in it because .venv cannot be moved.
wanted() {
    { pwd && cat pyproject.toml requirements.lock requirements-quickfix.lock scripts/setup.sh; } | sha256sum
}

is_done() { [[ -x $VENV/bin/python && -f $STAMP && $(<"$STAMP") == "$(wanted)" ]]; }

# ---------------------------------------------------------------------------------------- what must be there

is_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

has_headers() {
    "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}

# Sets `python` to the first interpreter that has all it needs, else to the first one that is new enough, else to "".
find_python() {
    local candidate
    python=
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
        is_python "$candidate" || continue
        [[ -n $python ]] || python=$candidate
        if has_venv "$candidate" && has_headers "$candidate"; then
            python=$candidate
            return
        fi
    done
}

check_prerequisites() {
    local missing=() name
    find_python
    if [[ -z $python ]]; then
        missing+=("Python 3.11 or newer with venv and headers (Debian: python3 python3-venv python3-dev)")
    else
        name=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        has_venv "$python" || missing+=("the venv module of $python (Debian: $name-venv)")
        has_headers "$python" || missing+=("Python.h, the headers of $python (Debian: $name-dev)")
    fi
    command -v g++ >/dev/null || missing+=("g++, the C++ compiler (Debian: g++)")
    command -v make >/dev/null || missing+=("make (Debian: make)")
    command -v flock >/dev/null || missing+=("flock (Debian: util-linux)")
    if ((${#missing[@]})); then
        {
            echo "setup: missing on this machine:"
            printf '  - %s\n' "${missing[@]}"
        } >&2
        exit 1
    fi
}

# ----------------------------------------------------------------------------------------------------- steps

log=
ticker=

stop_ticker() {
    [[ -z $ticker ]] || kill "$ticker" 2>/dev/null || true
    ticker=
}

clean_up() {
    stop_ticker
    [[ -z $log ]] || rm -f "$log"
}
trap clean_up EXIT
trap 'say "interrupted; run again, it mends what is missing" >&2; exit 130' INT

# Says now and then how long it has taken. Ends with this script, however that ends.
tick() {
    local nap=
    trap '[[ -z $nap ]] || kill "$nap"; exit 0' TERM
    while kill -0 $$ 2>/dev/null; do
        sleep "$PROGRESS_SECONDS" </dev/null >/dev/null 2>&1 &
        nap=$!
        wait "$nap"
        say "  ... $SECONDS s so far"
    done
}

start_ticker() {
    tick 8>&- 9>&- & # without the locks, which must end with their holder
    ticker=$!
}

# step WHAT COMMAND...: says what, runs the command, shows its output only if it fails.
step() {
    say "$1"
    shift
    start_ticker
    if ! "$@" >>"$log" 2>&1; then
        tail -n 30 "$log" >&2
        echo "setup: failed; all of the output is in $log" >&2
        log=
        exit 1
    fi
    stop_ticker
}

# A lock that ends with the process: lock DESCRIPTOR WHAT-THE-OTHER-ONE-DOES.
lock() {
    flock --nonblock "$1" && return
    say "another set-up $2; waiting for it"
    start_ticker
    flock "$1"
    stop_ticker
}

make_venv() { "$python" -m venv --clear "$VENV"; }

install_locked() { "$VENV/bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements.lock; }

install_project() {
    "$VENV/bin/python" -m pip install --quiet --no-index --no-deps --force-reinstall "$1" &&
        "$VENV/bin/python" -m pip install --quiet --no-index --no-deps --no-build-isolation -e . &&
        "$VENV/bin/python" -c 'import fixgw, quickfix'
}

# ------------------------------------------------------------------------------------- quickfix, from source

# The same wheel serves wherever Python's binary interface, the processor, the C library and the flags are the same.
quickfix_key() {
    local abi libc
    abi=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_config_var("SOABI"), sysconfig.get_platform())')
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo unknown)
    echo "quickfix-${abi// /-}-$({ echo "$FLAGS $libc" && cat requirements-quickfix.lock; } | sha256sum | cut -c -16)"
}

fetch_quickfix() {
    "$VENV/bin/python" -m pip download --quiet --require-hashes --no-deps --no-binary quickfix --no-build-isolation \
        -r requirements-quickfix.lock -d "$1" &&
        mkdir "$1/source" &&
        tar -xzf "$1"/quickfix-*.tar.gz -C "$1/source" --strip-components 1 &&
        join_sources "$1/source/C++"
}

# Has the 53 files that are not generated compiled as one, which includes them: each of them reads the same headers, 4 s
# of work, so that together they take 17 s instead of 110. The code stays as it is.
join_sources() {
    mkdir "$1/parts" &&
        mv "$1"/*.cpp "$1/parts" &&
        mv "$1/parts/QuickfixPython.cpp" "$1" &&
        (cd "$1" && LC_ALL=C && printf '#include "%s"\n' parts/*.cpp >parts.cpp)
}

# Which of the two variables reaches C++ files depends on setuptools' version.
compile_quickfix() {
    CFLAGS=$FLAGS CXXFLAGS=$FLAGS "$VENV/bin/python" -m pip wheel --verbose --no-index --no-deps --no-build-isolation \
        --no-cache-dir -w "$1/wheel" "$1/source"
}

# Leaves a wheel in directory $1: built beside it, moved when whole.
build_quickfix() {
    local partial=$1.partial
    rm -rf "$partial"
    mkdir "$partial"
    step "fetching the source of quickfix" fetch_quickfix "$partial"
    step "compiling quickfix, once for this machine and Python ($MEASURED)" compile_quickfix "$partial"
    mv -T "$partial/wheel" "$1"
    rm -rf "$partial"
}

# Sets `wheel` to a quickfix wheel for this Python, built now if there is none yet.
provide_quickfix() {
    local wheels directory
    wheels=${FIXGW_WHEELS:-${XDG_CACHE_HOME:-$HOME/.cache}/fixgw/wheels}
    mkdir -p "$wheels"
    directory=$(cd "$wheels" && pwd)/$(quickfix_key)
    if ! [[ -d $directory ]]; then
        exec 8>"$directory.lock"
        lock 8 "is compiling quickfix"
        [[ -d $directory ]] || build_quickfix "$directory"
        exec 8>&-
    fi
    wheel=("$directory"/quickfix-*.whl)
}

# ------------------------------------------------------------------------------------------------- all of it

main() {
    local wheel
    check_prerequisites
    log=$(mktemp "${TMPDIR:-/tmp}/fixgw-setup.XXXXXX")
    exec 9<pyproject.toml
    lock 9 "works on this checkout"
    if is_done; then return; fi # by the one waited for

    # No stamp: never finished, and what is there may be half of something. An old stamp: whole, only out of date.
    if [[ -f $STAMP ]] && is_python "$VENV/bin/python"; then
        rm "$STAMP"
    else
        step "making $VENV with $("$python" --version)" make_venv
    fi
    step "installing what requirements.lock names" install_locked
    provide_quickfix
    step "installing quickfix and this project" install_project "${wheel[0]}"
    wanted >"$STAMP"
    say "done in $SECONDS s"
}

is_done || main
