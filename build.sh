#!/bin/sh
# POSIX sh. Finds Rust, a .NET SDK and PowerShell or installs them into .tools/, then calls the xtask
# crate, which has the tasks. build.ps1 is the same for Windows.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$root"
tools=$root/.tools
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source=build.versions
. ./build.versions

usage() {
    cat <<'EOF'
usage: ./build.sh TASK
  build              the module, ready to import, in out/WslImage
  test [SUITE...]    all suites, or the named ones (test --list shows them)
  fuzz [SECONDS]     the parsers, with damaged documents, each so long (60)
  demo [REFERENCE]   get an image as a user would, from a registry on loopback or the one named
  bench [--only S]   beside curl and skopeo; S: near, far, cut, together, layers,
                     windows
  package            the module as the PowerShell Gallery takes it and as a zip file, in out/package
  library [RID...]   the native library alone, in out/libraries
Rust, a .NET SDK and PowerShell are taken from PATH, else from $WSLIMAGE_TOOLCHAIN/bin or
../shared/toolchain/bin, else installed into .tools/. With CI=true nothing may be missing.
EOF
}

say() { printf 'build.sh: %s\n' "$*" >&2; }

# --- system packages -------------------------------------------------------------------------------

# Package and what shows that it is there, for a task.
packages() {
    echo 'gcc cc
libc6-dev /usr/include/stdio.h
ca-certificates /etc/ssl/certs/ca-certificates.crt
curl curl
xz-utils xz
libicu libicuuc'
    case $1 in
    build | test | demo | bench | package | library)
        echo 'python3-pip pip3' ;;
    esac
    case $1 in
    test | bench | package | library)
        echo 'gcc-mingw-w64-x86-64 x86_64-w64-mingw32-gcc'
        # The standard library for Windows as source, where Rust has none that is built.
        [ -d "$(rustc --print target-libdir --target x86_64-pc-windows-gnu 2>/dev/null)" ] ||
            echo 'rustc-web /usr/bin/rustc
cargo-web /usr/bin/cargo
rust-web-src /usr/lib/rustlib/src/rust/library/std/Cargo.toml' ;;
    esac
    case $1 in
    test) echo 'valgrind valgrind
wine wine
wine64 /usr/lib/wine/wine64
mono-runtime mono
libmono-system-core4.0-cil /usr/lib/mono/4.5/System.Core.dll
libarchive-tools bsdtar
debootstrap debootstrap
docker-registry docker-registry
apache2-utils htpasswd
openssl openssl
nginx-light nginx
squid squid
python3 python3
umoci umoci
zstd zstd
busybox busybox
p7zip-full 7z
buildah buildah' ;;
    bench) echo 'wine wine
wine64 /usr/lib/wine/wine64
nginx-light nginx
skopeo skopeo
umoci umoci
pigz pigz
openssl openssl' ;;
    package | library) echo 'llvm llvm-rc' ;;
    esac
}

present() {
    case $1 in
    /*) [ -e "$1" ] ;;
    lib*) ldconfig -p 2>/dev/null | grep -q "$1\." ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

missing_packages() {
    packages "$1" | while read -r package sign; do
        present "$sign" || echo "$package"
    done | paste -s -d ' ' -
}

apt_install() {
    $sudo env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 RUNLEVEL=1 \
        apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >&2
}

# The services of nginx, docker-registry and squid start neither now nor with the machine: only programs of
# those packages are used, each with its own configuration.
install_packages() {
    wanted=$1
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then
        policy=
    else
        trap '$sudo rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
        $sudo chmod 755 $policy
    fi
    $sudo apt-get update -q >&2 || true
    case $wanted in
    *libicu*)
        # Each release of the distribution has the version in the name.
        icu=$(apt-cache pkgnames libicu | grep -E '^libicu[0-9]+$' | sort -t u -k 2n | tail -n 1)
        wanted=$(printf '%s\n' "$wanted" | sed "s/libicu/$icu/") ;;
    esac
    # shellcheck disable=SC2086 # a list of names
    apt_install $wanted || for package in $wanted; do apt_install "$package" || true; done
    for service in nginx docker-registry squid; do
        case $wanted in
        *$service*)
            $sudo deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
            $sudo update-rc.d "$service" disable >/dev/null 2>&1 || true ;;
        esac
    done
    [ -z "$policy" ] || $sudo rm -f "$policy"
    trap - EXIT HUP INT TERM
}

provide_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    missing=$(missing_packages "$1")
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "not installed, and there is no apt-get to install it: $missing"
    elif [ "$(id -u)" = 0 ]; then
        sudo='' && install_packages "$missing"
    elif [ "${CI:-}" = true ] && sudo -n true 2>/dev/null; then
        sudo='sudo -n' && install_packages "$missing"
    else
        say "not installed, and only root may install it: $missing"
    fi
    WSLIMAGE_MISSING_PACKAGES=$(missing_packages "$1")
    export WSLIMAGE_MISSING_PACKAGES
    [ -z "$WSLIMAGE_MISSING_PACKAGES" ] || say "missing system packages: $WSLIMAGE_MISSING_PACKAGES"
}

# --- Rust, .NET SDK, PowerShell --------------------------------------------------------------------

# not_older A B: version A is B or later.
not_older() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$2" ]
}

rust_version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# Used by a Rust of our own only: another one keeps its folders.
own_rust() { export RUSTUP_HOME="$tools/rustup" CARGO_HOME="$tools/cargo"; }

usable_cargo() {
    case $1 in "$tools"/*) own_rust ;; esac
    version=$("$1" --version 2>/dev/null | cut -d ' ' -f 2) && [ -n "$version" ] || return 1
    not_older "$version" "$rust_version" && return
    say "$1 is Rust $version, Cargo.toml asks for $rust_version or later"
    return 1
}
usable_dotnet() { # an SDK that builds for net8.0; a runtime alone lists none
    "$1" --list-sdks 2>/dev/null | awk -F. '$1 >= 8 { found = 1 } END { exit !found }'
}
usable_pwsh() {
    version=$("$1" --version 2>/dev/null | sed -n 's/^PowerShell //p') && not_older "${version:-0}" 7.4
}

# locate NAME FOLDER: puts a usable NAME on PATH, from PATH itself, a toolchain's folder or FOLDER.
locate() {
    if found=$(command -v "$1") && "usable_$1" "$found"; then return; fi
    for folder in ${WSLIMAGE_TOOLCHAIN:+"$WSLIMAGE_TOOLCHAIN/bin"} "$root/../shared/toolchain/bin" "$2"; do
        if [ -x "$folder/$1" ] && "usable_$1" "$folder/$1"; then
            # One on PATH that is of no use must not stand before it.
            if [ -n "$found" ]; then PATH=$folder:$PATH; else PATH=$PATH:$folder; fi
            return
        fi
    done
    return 1
}

fetch() { # URL FILE
    mkdir -p "$tools"
    curl --proto '=https' --tlsv1.2 -fsL --connect-timeout 20 --retry 2 -o "$2" "$1" && return
    reason="$1 cannot be fetched"
    return 1
}

install_cargo() {
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) triple=x86_64-unknown-linux-gnu ;;
    Linux-aarch64) triple=aarch64-unknown-linux-gnu ;;
    Darwin-x86_64) triple=x86_64-apple-darwin ;;
    Darwin-arm64) triple=aarch64-apple-darwin ;;
    *)
        reason="there is none for $(uname -sm)"
        return 1 ;;
    esac
    own_rust
    fetch "https://static.rust-lang.org/rustup/archive/$RUSTUP/$triple/rustup-init" "$tools/rustup-init" &&
        chmod 755 "$tools/rustup-init" &&
        "$tools/rustup-init" -y -q --no-modify-path --profile minimal -c rustfmt -c clippy \
            --default-toolchain "$RUST" >&2
}

install_dotnet() {
    fetch https://dot.net/v1/dotnet-install.sh "$tools/dotnet-install.sh" &&
        bash "$tools/dotnet-install.sh" --version "$DOTNET_SDK" --install-dir "$tools/dotnet" --no-path >&2 &&
        export DOTNET_ROOT="$tools/dotnet"
}

install_pwsh() {
    # The tool runs on the runtime that belongs to the pinned SDK.
    if ! dotnet --list-runtimes 2>/dev/null | grep -q "^Microsoft.NETCore.App ${DOTNET_SDK%%.*}\."; then
        install_dotnet || return 1
        PATH=$tools/dotnet:$PATH
    fi
    dotnet tool install powershell --version "$POWERSHELL" --tool-path "$tools/powershell" >&2
}

# provide NAME FOLDER WHAT: finds it or installs it into FOLDER.
provide() {
    locate "$1" "$2" && return
    reason='the installation failed'
    if "install_$1" && locate "$1" "$2"; then return; fi
    say "could not get $3: no usable $1 on PATH or in a toolchain's folder, and $reason"
    return 1
}

# --- the task --------------------------------------------------------------------------------------

task=${1:-}
case $task in
build | test | fuzz | demo | bench | package | library) shift ;;
help | -h | --help) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

provide_packages "$task"

# The line that counts the tests is the last one, also when there is nothing to run them.
give_up() {
    [ "$task" != test ] || echo '0 passed, 1 failed'
    exit 1
}

provide cargo "$tools/cargo/bin" "Rust $RUST" || give_up

# xtask says what it cannot do without these, and with CI=true fails.
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 POWERSHELL_TELEMETRY_OPTOUT=1 POWERSHELL_UPDATECHECK=Off
[ ! -x "$tools/dotnet/dotnet" ] || export DOTNET_ROOT="${DOTNET_ROOT:-$tools/dotnet}"
case $task in
fuzz | library) ;;
*) provide dotnet "$tools/dotnet" ".NET SDK $DOTNET_SDK" || true ;;
esac
case $task in
test | demo | bench) provide pwsh "$tools/powershell" "PowerShell $POWERSHELL" || true ;;
esac
export PATH

locked=
if [ "${CI:-}" = true ]; then locked=--locked; fi
cargo build --quiet ${locked:+"$locked"} --package xtask || give_up
exec cargo run --quiet ${locked:+"$locked"} --package xtask -- "$task" "$@"
