# say — what ./dev prints while it works: a line for each step, and signs of life during long ones.

say()
{
	printf '== %s\n' "$*"
}

die()
{
	printf '!! %s\n' "$*" >&2
	exit 1
}

# Copies a long command's output to a log and shows only that it lives: a moving count on a terminal,
# otherwise a line for every hundred; a line that says "SECONDS s:" itself is shown as it is. Usage: command 2>&1 | say_progress "building test" LOG
say_progress()
{
	local what=$1 log=$2 tty=0

	[ -t 1 ] && tty=1
	: >"$log"
	awk -v what="$what" -v log_file="$log" -v tty="$tty" '
		{ print >> log_file; fflush(log_file); n++ }
		/^# [0-9]+ s: |^# seed / { printf "%s   %s%s\n", tty ? "\r" : "", substr($0, 3), tty ? "        " : ""; fflush(); next }
		tty { printf "\r   %s: %d steps", what, n; fflush() }
		!tty && n % 100 == 0 { printf "   %s: %d steps\n", what, n; fflush() }
		END { if (tty && n) printf "\n" }'
}

have()
{
	command -v "$1" >/dev/null 2>&1
}
