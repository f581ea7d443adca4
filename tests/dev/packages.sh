# packages — the Debian packages that each kind of work needs, in one place, and how they get here.

packages_build=(build-essential autoconf automake pkg-config libevent-dev libc-ares-dev libssl-dev libconfuse-dev
	libseccomp-dev libbsd-dev libjansson-dev libidn2-dev libdb5.3-dev libcrypt-dev libpam0g-dev)
packages_test=(libcmocka-dev openssl dovecot-core python3 python3-pytest python3-dnspython strace mandoc util-linux procps)
packages_interop=(swaks libnet-ssleay-perl curl msmtp s-nail openssl testssl.sh)	# none conflicts with anything; MTAs are unpacked only
packages_crash=(e2fsprogs xfsprogs)
packages_run=(openssl python3 python3-dnspython swaks libnet-ssleay-perl util-linux)
packages_clang=(clang libclang-rt-14-dev llvm)
packages_lint=(clang cppcheck mandoc shellcheck)
packages_fmt=(clang-format git)
packages_cover=(gcovr)

packages_missing()
{
	local name

	for name in "$@"; do
		dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || echo "$name"
	done
}

# Makes sure that the packages are there. Without root and without sudo it says what to type instead.
packages_need()
{
	local missing as_root=()

	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" = 0 ] && return 0
	if [ "$(id -u)" != 0 ]; then
		if have sudo && sudo -n true 2>/dev/null; then
			as_root=(sudo -n)
		else
			die "these Debian packages are missing and need root: apt-get install ${missing[*]}"
		fi
	fi
	say "installing ${missing[*]}"
	mkdir -p "$builds"
	if ! packages_install "${missing[@]}" >"$builds/apt.log" 2>&1; then
		tail -5 "$builds/apt.log" >&2
		die "could not install: ${missing[*]} (whole log: $builds/apt.log)"
	fi
}

# as_root is the caller's: bash looks names up where the call came from.
packages_install()
{
	local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)

	"${apt[@]}" install --no-install-recommends "$@" && return 0
	"${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"
}
