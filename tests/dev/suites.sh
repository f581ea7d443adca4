# suites — what `./dev test` runs and how it counts.
#
# Every suite leaves one line "name passed failed skipped" in $results/counts and prints it; the sum is the last line of all.

test_user=posthorn-test
suite_names=(checks unit fuzz script system evil crash asan tsan)
suite_on_request=(interop)		# not without being named
# In make's words, the unit tests whose programs start the store's threads.
# shellcheck disable=SC2016
tsan_units='filter tests/unit/store/% $(addprefix tests/unit/queue/test_,owner volume torture),$(UNIT_TESTS)'

# suite_count NAME PASSED FAILED SKIPPED
suite_count()
{
	echo "$1 $2 $3 $4" >>"$results/counts"
	printf '   %s: %d passed, %d failed, %d skipped\n' "$1" "$2" "$3" "$4"
}

# Runs one test program; its TAP and a last line with the exit status go to a file. Called by xargs below.
suite_program()
{
	local program=$1 out=$2 limit=$3 status=0
	shift 3
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$limit" "$program" "$@" >"$out" 2>&1 || status=$?
	echo "exit $status" >>"$out"
}
export -f suite_program

# Counts one TAP file: prints "passed failed skipped". A program may say "N passed, N failed, N skipped" instead. cmocka says "not ok"
# for a skipped test. One that failed without saying which test counts as one failure, one that said nothing and
# succeeded as one test; 77 is the exit status of a program that cannot run here.
suite_tap_file()
{
	local file=$1 ok bad skip status

	skip=$(grep -Ec '^(not )?ok .*# *SKIP' "$file" || true)
	ok=$(grep -E '^ok ' "$file" | grep -Evc '# *SKIP' || true)
	bad=$(grep -E '^not ok ' "$file" | grep -Evc '# *SKIP' || true)
	status=$(sed -n 's/^exit //p' "$file" | tail -1)
	if [ $((ok + bad + skip)) = 0 ]; then
		read -r ok bad skip < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$file" | tail -1) ||
		    ok=0 bad=0 skip=0
	fi
	case ${status:-1} in
	0) [ $((ok + bad + skip)) -gt 0 ] || ok=1 ;;
	77) skip=$((skip + 1)) ;;
	*) [ "$bad" -gt 0 ] || bad=1 ;;
	esac
	echo "$ok $bad $skip"
}

# The files of a folder; shows what failed and what was skipped.
suite_tap()
{
	local suite=$1 dir=$2 file ok bad skip passed=0 failed=0 skipped=0

	for file in "$dir"/*.tap; do
		[ -e "$file" ] || continue
		read -r ok bad skip < <(suite_tap_file "$file")
		if [ "$bad" -gt 0 ]; then
			printf -- '--- %s\n' "$(basename "$file" .tap)"
			grep -Ev '^(ok |# ok|1\.\.)' "$file" | tail -40
		elif [ "$skip" -gt 0 ]; then
			printf -- '--- %s skips: %s\n' "$(basename "$file" .tap)" "$(grep -iE 'skip|root|exit 77' "$file" | tr '\n' ';')"
		fi
		passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	done
	suite_count "$suite" "$passed" "$failed" "$skipped"
}

suite_unit()
{
	local build=${1:-test} dir program out
	dir=$results/unit-$build
	mkdir -p "$dir"
	say "unit ($build)"
	for program in $(build_variable "$build" UNIT_TESTS); do
		out=${program#tests/unit/}		# rooms have tests of the same name
		printf '%s\0%s\0%s\0' "$builds/$build/$program" "$dir/${out//\//-}.tap" 180
	done | (cd "$builds/$build" && xargs -0 -r -n 3 -P "$jobs" bash -c 'suite_program "$@"' suite)
	suite_tap "unit ($build)" "$dir"
}

# Every target over its saved corpus, in the build that has the sanitizers.
suite_fuzz()
{
	local dir=$results/fuzz program name
	mkdir -p "$dir"
	say "fuzz corpora"
	for program in $(build_variable asan FUZZ_TARGETS); do
		name=$(basename "$program")
		printf '%s\0%s\0%s\0%s\0' "$builds/asan/$program" "$dir/$name.tap" 180 "$here/tests/fuzz/corpus/${name#fuzz_}"
	done | xargs -0 -r -n 4 -P "$jobs" bash -c 'suite_program "$@"' suite
	suite_tap "fuzz" "$dir"
}

# Where the suites with real processes run: the tree itself, or when called by root a copy for an ordinary user.
suite_stage()
{
	local build=$1
	if [ "$(id -u)" = 0 ]; then
		account_ensure "$test_user"
		[ -n "${stages[$build]:-}" ] || stages[$build]=$(account_stage "$test_user" "$build")
	fi
}

# suite_as_root BUILD command...: from the same copy, for tests that mount file systems. They run posthorn as the user.
suite_as_root()
{
	local stage=${stages[$1]}
	shift
	(cd "$stage" && env POSTHORN_BUILD="$stage/build" POSTHORN_SOURCE="$here" PYTHONPATH="$stage/tests/support" \
	    PYTHONDONTWRITEBYTECODE=1 TMPDIR="$stage/tmp" "$@")
}

# suite_as_user BUILD command...: in the tests' folder, with the tests' environment.
suite_as_user()
{
	local build=$1 stage=${stages[$1]:-}
	shift
	if [ -n "$stage" ]; then
		(cd "$stage" && account_run "$test_user" POSTHORN_BUILD="$stage/build" PYTHONPATH="$stage/tests/support" \
		    PYTHONDONTWRITEBYTECODE=1 TMPDIR="$stage/tmp" POSTHORN_COUNTS="$stage/tmp/counts" "$@")
	else
		POSTHORN_BUILD="$builds/$build" PYTHONPATH="$here/tests/support" PYTHONDONTWRITEBYTECODE=1 \
		    POSTHORN_COUNTS="$results/pytest-counts" "$@"
	fi
}

# suite_pytest NAME BUILD USER-OR-ROOT pytest-arguments...
suite_pytest()
{
	local suite=$1 build=$2 who=$3 counts passed failed skipped status=0
	shift 3
	if [ "$who" = root ]; then
		counts=$results/pytest-counts
		POSTHORN_BUILD="${stages[$build]}/build" PYTHONPATH="$here/tests/support" PYTHONDONTWRITEBYTECODE=1 \
		    POSTHORN_COUNTS="$counts" timeout -k 10 2400 /usr/bin/python3 -m pytest -p counts -p tidy -p no:cacheprovider -q --tb=short -rfEs "$@" || status=$?
	else
		counts=${stages[$build]:+${stages[$build]}/tmp/counts}
		counts=${counts:-$results/pytest-counts}
		suite_as_user "$build" timeout -k 10 2400 /usr/bin/python3 -m pytest -p counts -p tidy -p no:cacheprovider -q --tb=short -rfEs "$@" || status=$?
	fi
	if [ -s "$counts" ]; then
		read -r passed failed skipped <"$counts"
		rm -f "$counts"
		# 5: everything was deselected. Anything else that is not 0 or 1 broke before it could count.
		case $status in 0|1|5) ;; *) failed=$((failed + 1)) ;; esac
		suite_count "$suite" "$passed" "$failed" "$skipped"
	else
		suite_count "$suite" 0 1 0
	fi
}

# A runner of its own that prints TAP: suite_runner NAME BUILD user|root SECONDS script arguments...
suite_runner()
{
	local suite=$1 build=$2 who=$3 limit=$4 dir=$results/$1-$2 status=0
	shift 4

	mkdir -p "$dir"
	suite_stage "$build"
	[ "$(id -u)" = 0 ] || who=user		# what needs root says so and is skipped
	"suite_as_$who" "$build" timeout -k 10 "$limit" /usr/bin/python3 "$@" 2>&1 | say_progress "$suite" "$dir/$suite.tap" || status=$?
	echo "exit $status" >>"$dir/$suite.tap"
	suite_tap "$suite ($build)" "$dir"
}

suite_script()
{
	local build=${1:-test}

	say "script ($build)"
	suite_runner script "$build" user 600 tests/script/run.py
}

suite_system()
{
	local build=${1:-test}
	say "system ($build)"
	suite_stage "$build"
	suite_pytest "system ($build)" "$build" user -m "not root_only" tests/system
	if [ "$(id -u)" = 0 ]; then
		suite_pytest "system as root ($build)" "$build" root -m root_only tests/system
	fi
}

# What an installation puts on a disk: no program with the rights of another, nothing that others may write.
suite_installed()
{
	local root=$results/installed programs found
	make -s -C "$builds/$1" install DESTDIR="$root" >"$results/install.log" 2>&1 || { tail -5 "$results/install.log"; suite_count installed 0 1 0; return; }
	programs=$(find "$root" -type f -perm -u+x | wc -l)
	found=$(find "$root" ! -type l \( -perm /6000 -o -perm -0002 \))
	if [ "$programs" -lt 12 ] || [ -n "$found" ]; then
		printf -- '--- %d programs are installed; not as they should be: %s\n' "$programs" "$found"
		suite_count installed 0 1 0
	else
		suite_count installed 1 0 0
	fi
}

# Processes that do what an attacker wants, in a build of their own.
suite_evil()
{
	say "evil"
	suite_installed evil
	suite_stage evil
	suite_pytest evil evil user -m "not root_only" tests/evil
	if [ "$(id -u)" = 0 ]; then
		suite_pytest "evil as root" evil root -m root_only tests/evil
	fi
}

# Programs of others at the other end. Their MTAs are fetched, unpacked and never installed; they start only as root.
suite_interop()
{
	say "interop (test)"
	suite_stage test
	suite_pytest interop test user -m "not root_only" tests/interop
	if [ "$(id -u)" = 0 ]; then
		POSTHORN_PEERS=$builds/peers suite_pytest "interop as root" test root -m root_only tests/interop
	fi
}

# With --long by the thousand, which takes an hour or two. All parts run side by side: cuts, kills and clocks mostly wait, and the C programs
# have the cores meanwhile. The last line adds up what was cut and killed.
suite_crash()
{
	local limit=900 power clock crash
	[[ " ${crash_options[*]} " != *" --long "* ]] || limit=36000

	say "crash (test)"
	suite_stage test
	suite_runner power test root "$limit" tests/crash/run.py "${crash_options[@]}" power full &
	power=$!
	suite_runner clock test user "$limit" tests/crash/run.py "${crash_options[@]}" clock &
	clock=$!
	suite_runner crash test user "$limit" tests/crash/run.py "${crash_options[@]}" ring faults kills &
	crash=$!
	suite_crash_programs
	wait "$clock" "$power" "$crash"
	sed -nE 's/^# ([0-9]+) power cuts and kills.*/\1/p' "$results"/*-test/{power,crash}.tap |
	    awk '{ n += $1 } END { printf "   crash: %d power cuts and kills of the whole system\n", n }'
}

# The C programs of tests/crash work on folders of their own and need no other process.
suite_crash_programs()
{
	local dir=$results/crash program
	mkdir -p "$dir"
	# shellcheck disable=SC2016
	for program in $(build_variable test 'filter tests/crash/%,$(check_PROGRAMS)'); do
		printf '%s\0%s\0%s\0' "$builds/test/$program" "$dir/$(basename "$program").tap" 600
	done | xargs -0 -r -n 3 -P "$jobs" bash -c 'suite_program "$@"' suite
	suite_tap "crash (store)" "$dir"
}

suite_asan()
{
	suite_unit asan
	suite_script asan
	suite_system asan
}

# The store's threads under ThreadSanitizer: its unit tests, and shorter rounds of the crash programs that do not only kill.
suite_tsan()
{
	local dir=$results/tsan program arguments
	mkdir -p "$dir"
	say "store (tsan)"
	# shellcheck disable=SC2016
	for program in $(build_variable tsan "$tsan_units") tests/crash/store_kill; do
		arguments=''
		# Random kills only: those at a step take minutes here.
		[ "$program" != tests/crash/store_kill ] || arguments="30 none"
		printf '%s\0%s\0%s\0%s\0' "$builds/tsan/$program" "$dir/$(basename "$program").tap" 300 "$arguments"
	done | (cd "$builds/tsan" && TSAN_OPTIONS=halt_on_error=0:exitcode=66 \
	    xargs -0 -r -n 4 -P "$jobs" bash -c 'suite_program "$1" "$2" "$3" $4' suite)
	suite_tap "store (tsan)" "$dir"
}

suite_checks()
{
	say "checks"
	local passed=0 failed=0 name
	for name in layers gates replies papers manuals python; do
		if "check_$name" >"$results/check-$name" 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			printf -- '--- %s\n' "$name"
			tail -30 "$results/check-$name"
		fi
	done
	suite_count checks "$passed" "$failed" 0
}

suites_need()
{
	packages_need "${packages_build[@]}" "${packages_test[@]}"
	case " $* " in *' script '*|*' system '*|*' unit '*|*' crash '*|*' interop '*) build_for_tests test ;; esac
	case " $* " in *' crash '*) packages_need "${packages_crash[@]}" ;; esac
	case " $* " in *' interop '*) packages_need "${packages_interop[@]}" ;; esac
	case " $* " in *' asan '*|*' fuzz '*) build_for_tests asan ;; esac
	case " $* " in *' evil '*) build_tree evil all-am tests/evil/free ;; esac
	case " $* " in *' tsan '*) build_store tsan ;; esac
}

# What the tsan suite runs, and nothing else.
build_store()
{
	build_ready "$1"
	# shellcheck disable=SC2046
	build_tree "$1" $(build_variable "$1" "$tsan_units") tests/crash/store_kill
}

suites_clean()
{
	local stage
	for stage in "${stages[@]}"; do
		rm -rf "$stage"
	done
}

verb_test()
{
	local kind kinds=() began=$SECONDS
	declare -gA stages=()
	declare -ga crash_options=()
	while [ $# -gt 0 ]; do
		case $1 in
		--long) crash_options+=(--long) ;;
		--seed) crash_options+=(--seed "${2:?--seed needs a number}") && shift ;;
		*) kinds+=("$1") ;;
		esac
		shift
	done
	[ "${#kinds[@]}" -gt 0 ] || kinds=("${suite_names[@]}")
	for kind in "${kinds[@]}"; do
		[[ " ${suite_names[*]} ${suite_on_request[*]} " == *" $kind "* ]] ||
		    die "there is no suite called $kind (${suite_names[*]} ${suite_on_request[*]})"
	done
	suites_need "${kinds[@]}"
	results=$builds/results
	rm -rf "$results"
	mkdir -p "$results"
	trap suites_clean EXIT
	for kind in "${kinds[@]}"; do
		"suite_$kind"
	done
	say "took $((SECONDS - began)) s"
	suites_sum
}

# The last line of all. Nothing counted is a failure, too.
suites_sum()
{
	local passed failed skipped
	read -r passed failed skipped < <(awk '{ n = NF; p += $(n-2); f += $(n-1); s += $n } END { print p + 0, f + 0, s + 0 }' "$results/counts")
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
