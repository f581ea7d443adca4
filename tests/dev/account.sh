# account — the ordinary users as whom ./dev runs posthorn when it was called by root.
#
# The checkout may lie where such a user cannot read, so binaries and tests are copied to a place of its own first.

account_ensure()
{
	local name=$1

	getent passwd "$name" >/dev/null && return 0
	say "creating the user $name"
	useradd --create-home --shell /usr/sbin/nologin --comment "posthorn development" "$name"
}

# account_stage NAME BUILD: prints a new directory with build/ and tests/ in it, owned by the user.
account_stage()
{
	local name=$1 build=$2 stage

	stage=$(mktemp -d "/var/tmp/$name.XXXXXX")
	mkdir "$stage/build" "$stage/tmp"
	(cd "$builds/$build" && find . -type f -perm -u+x \( -not -path './tests/*' -o -path './tests/evil/*' \) -not -name config.status -print0 |
	    xargs -0 cp --parents -t "$stage/build")
	cp -r tests "$stage/tests"
	cp -r etc "$stage/etc" 2>/dev/null || true
	find "$stage/tests" -name __pycache__ -prune -exec rm -rf {} +
	chown -R "$name": "$stage"
	chmod 755 "$stage"
	echo "$stage"
}

# account_run NAME command...: as that user, with a clean environment that keeps what the tests read.
account_run()
{
	local name=$1
	shift
	runuser -u "$name" -- env -u XDG_RUNTIME_DIR HOME="$(getent passwd "$name" | cut -d: -f6)" PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
