# demo — `./dev run`: Postfix as root where that is possible, posthorn as an ordinary user always.

demo_user=posthorn-demo
peer_port=2526

# Prints the command word that makes root of us, or fails when there is none.
demo_root()
{
	if [ "$(id -u)" = 0 ]; then
		echo env
	elif have sudo && sudo -n true 2>/dev/null; then
		echo "sudo -n"
	else
		return 1
	fi
}

# Starts Postfix in its private root below /var/tmp (its own user must be able to enter every folder above).
demo_peer_start()
{
	local as_root

	if ! as_root=$(demo_root); then
		say "no root and no sudo: Postfix cannot be started as the second MTA, so what goes to it will not be seen"
		return 0
	fi
	say "starting Debian's Postfix on 127.0.0.2:$peer_port (fetched, unpacked, not installed)"
	peer_dir=$(mktemp -d /var/tmp/posthorn-peer.XXXXXX)
	chmod 755 "$peer_dir"
	: >"$peer_dir/peer.out"
	# shellcheck disable=SC2086
	$as_root /usr/bin/python3 tests/support/postfix_peer.py "$builds/peers" "$peer_dir" "127.0.0.2:$peer_port" \
	    virtual_mailbox_domains=far.test "virtual_mailbox_maps=inline:{someone@far.test=someone/}" \
	    "virtual_mailbox_base=$peer_dir/mail" virtual_uid_maps=static:65534 virtual_gid_maps=static:65534 \
	    >"$peer_dir/peer.out" 2>&1 &
	peer_pid=$!
	demo_peer_wait
}

demo_peer_wait()
{
	local i

	for ((i = 0; i < 600; i++)); do
		grep -q 'Postfix listens' "$peer_dir/peer.out" && return 0
		kill -0 "$peer_pid" 2>/dev/null || break
		sleep 0.2
	done
	cat "$peer_dir/peer.out" >&2
	die "Postfix did not start"
}

demo_clean()
{
	if [ -n "${peer_pid:-}" ]; then
		$(demo_root) kill -TERM "$peer_pid" 2>/dev/null || true
		wait "$peer_pid" 2>/dev/null || true
		$(demo_root) rm -rf "$peer_dir"
	fi
	[ -z "${demo_stage:-}" ] || rm -rf "$demo_stage"
}

verb_run()
{
	local arguments=() status=0

	case ${1:-} in
	'') ;;
	--once) arguments=(--once) ;;
	*) die "run knows only --once" ;;
	esac
	packages_need "${packages_build[@]}" "${packages_run[@]}"
	build_tree release
	trap demo_clean EXIT
	trap 'exit 130' INT TERM
	demo_peer_start
	[ -z "${peer_dir:-}" ] || arguments+=(--peer-port "$peer_port" --peer-log "$peer_dir/log/maillog")
	demo_play "${arguments[@]}" || status=$?
	return "$status"
}

# posthorn itself never runs as root here: called by root, it runs from a copy as a user made for that.
demo_play()
{
	if [ "$(id -u)" = 0 ]; then
		account_ensure "$demo_user"
		demo_stage=$(account_stage "$demo_user" release)
		(cd "$demo_stage" && account_run "$demo_user" POSTHORN_BUILD="$demo_stage/build" TMPDIR="$demo_stage/tmp" PYTHONDONTWRITEBYTECODE=1 \
		    /usr/bin/python3 tests/dev/demo.py "$@")
	else
		POSTHORN_BUILD="$builds/release" /usr/bin/python3 tests/dev/demo.py "$@"
	fi
}
