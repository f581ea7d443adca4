# build — configured trees below build/, one for each way to compile.

declare -A build_flags=(
	[release]=""
	[test]="--enable-faults"
	[asan]="--enable-sanitizers"
	[clang]="--enable-faults CC=clang"
	[fuzz]="--enable-fuzz CC=clang"
	[cover]="--enable-coverage"
	[tsan]="--enable-tsan"
	[evil]="--enable-evil"
)

# configure is made again when it is missing or older than configure.ac, Makefile.am or any module.am.
build_autoreconf()
{
	if [ -x configure ] && [ -f Makefile.in ] && [ -f config.h.in ] &&
	    [ -z "$(find . -path ./.git -prune -o -path "$builds" -prune -o \
	    \( -name configure.ac -o -name Makefile.am -o -name module.am \) -newer configure -print -quit)" ]; then
		return 0
	fi
	say "autoreconf"
	mkdir -p "$builds"
	autoreconf -fi >"$builds/autoreconf.log" 2>&1 || { tail -5 "$builds/autoreconf.log" >&2; die "autoreconf failed"; }
	touch configure		# autoreconf leaves an unchanged configure as old as it was
}

build_configure()
{
	local dir=$1 name=$2 flags

	read -ra flags <<<"${build_flags[$name]}"
	if [ -x "$dir/config.status" ] && [ "$dir/config.status" -nt configure ]; then
		return 0
	fi
	say "configure $name ${build_flags[$name]}"
	mkdir -p "$dir"
	(cd "$dir" && "$here/configure" -q --prefix=/usr --sysconfdir=/etc --localstatedir=/var "${flags[@]}") \
	    >"$dir/configure.out" 2>&1 || { tail -5 "$dir/configure.out" >&2; die "configure failed: $dir/config.log"; }
}

# build_ready NAME: configured, so that its Makefile can be asked.
build_ready()
{
	local name=$1

	[ -n "${build_flags[$name]+set}" ] || die "there is no build called $name (${!build_flags[*]})"
	packages_need "${packages_build[@]}"
	mkdir -p "$builds/$name"
	(
		flock 8
		build_autoreconf
		build_configure "$builds/$name" "$name"
	) 8>"$builds/.lock"
}

# build_tree NAME [make targets]: builds, or ends ./dev with the compiler's words. all-am and not all: that one calls make
# again, and two makes at once would build the same library.
build_tree()
{
	local name=$1 dir=$builds/$1
	shift

	build_ready "$name"
	say "build $name"
	if ! { make -C "$dir" -j "$jobs" "${@:-all-am}" 2>&1 | say_progress "building $name" "$dir/make.out"; }; then
		grep -E -A3 ' error|undefined reference|multiple definition|No rule' "$dir/make.out" | head -30 >&2 || tail -15 "$dir/make.out" >&2
		die "build $name failed: $dir/make.out"
	fi
}

# What the Makefile of a build holds in a variable. Only the last line: make may have had to remake the Makefile first.
build_variable()
{
	# shellcheck disable=SC2016
	make -s -C "$builds/$1" --no-print-directory --eval='dev-print: ; @echo $('"$2"')' dev-print | tail -1
}

# Everything that the tests run.
build_for_tests()
{
	local name=$1

	build_ready "$name"
	# shellcheck disable=SC2046
	build_tree "$name" all-am $(build_variable "$name" check_PROGRAMS)
}

verb_build()
{
	local name

	for name in "${@:-release}"; do
		case $name in clang|fuzz) packages_need "${packages_clang[@]}" ;; esac
		case $name in release) build_tree "$name" ;; *) packages_need libcmocka-dev; build_for_tests "$name" ;; esac
	done
}
