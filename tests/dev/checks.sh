# checks — what can be said about the tree without running it, and the verbs that look at code.

check_layers()
{
	/usr/bin/python3 tests/dev/layers.py
}

check_gates()
{
	/usr/bin/python3 tests/dev/gates.py
}

check_replies()
{
	/usr/bin/python3 tests/dev/replies.py
}

check_papers()
{
	/usr/bin/python3 tests/dev/papers.py
}

check_manuals()
{
	local page bad=0

	for page in docs/man/*.[158]; do
		[ -e "$page" ] || continue
		# Pages of this tree refer to each other before they are installed.
		mandoc -Tlint -W warning "$page" | grep -v 'referenced manual not found' && bad=1
	done
	return "$bad"
}

check_python()
{
	find tests -name '*.py' -print0 | PYTHONPYCACHEPREFIX="$builds/pycache" xargs -0 -r /usr/bin/python3 -m py_compile
}

check_shell()
{
	find dev .ci/run tests \( -name '*.sh' -o -path dev -o -path .ci/run \) -exec shellcheck -s bash -e SC2034,SC2154 {} +
}

# uninitvar: it does not follow out-parameters, and both compilers look for that. The containers' macros come from libbsd.
check_cppcheck()
{
	cppcheck --quiet --std=c11 --language=c --enable=warning,portability --inline-suppr --error-exitcode=1 -j "$jobs" \
	    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=nullPointerOutOfMemory \
	    --suppress=normalCheckLevelMaxBranches --suppress=unmatchedSuppression --suppress=funcArgOrderDifferent \
	    --suppress=uninitvar --include=/usr/include/bsd/sys/queue.h --include=/usr/include/bsd/sys/tree.h \
	    -Icommon -I. -DPOSTHORN_FAULTS common control lookup smtpd queue relay mda
}

verb_layers()
{
	packages_need python3
	/usr/bin/python3 tests/dev/layers.py --show
}

verb_lint()
{
	local name bad=0

	packages_need "${packages_build[@]}" "${packages_clang[@]}" "${packages_lint[@]}" libcmocka-dev
	build_for_tests test
	build_for_tests clang
	for name in layers gates replies papers manuals python shell cppcheck; do
		say "$name"
		"check_$name" || bad=1
	done
	return "$bad"
}

# Only on request, and only what is changed: where a hand-laid table reads better, the hand wins.
verb_fmt()
{
	local files=("$@")

	packages_need "${packages_fmt[@]}"
	if [ $# = 0 ]; then
		mapfile -t files < <(git status --porcelain -uall -- '*.c' '*.h' | sed 's/^...//')
	fi
	[ "${#files[@]}" -gt 0 ] || { say "no C file is changed"; return 0; }
	clang-format -i "${files[@]}"
	say "formatted ${#files[@]} files; look at the difference before you keep it"
}

# fuzz TARGET|all [seconds]
verb_fuzz()
{
	local want=${1:-} seconds=${2:-60} program name targets=() bad=0 executed=0

	[ -n "$want" ] || die "fuzz what? a target's name, or all"
	packages_need "${packages_clang[@]}" libcmocka-dev
	build_ready fuzz
	for program in $(build_variable fuzz FUZZ_TARGETS); do
		name=$(basename "$program")
		case $want in all|"$name"|"${name#fuzz_}") targets+=("$program") ;; esac
	done
	[ "${#targets[@]}" -gt 0 ] || die "there is no target called $want"
	build_tree fuzz "${targets[@]}"
	for program in "${targets[@]}"; do
		fuzz_one "$program" "$seconds" || bad=1
		name=$(basename "$program")
		executed=$((executed + $(awk '/number_of_executed_units/ { n = $2 } END { print n + 0 }' "$builds/fuzz/corpus/${name#fuzz_}.log")))
	done
	say "fuzz: ${#targets[@]} targets, $executed inputs$([ "$bad" = 0 ] && echo ", no find")"
	return "$bad"
}

# New inputs go to build/, so that the corpus in the tree grows only by hand.
fuzz_one()
{
	local program=$1 seconds=$2 name corpus found options=()

	name=$(basename "$program")
	name=${name#fuzz_}
	corpus=$builds/fuzz/corpus/$name
	found=$builds/fuzz/finds/$name-
	mkdir -p "$corpus" "$builds/fuzz/finds" "tests/fuzz/corpus/$name"
	[ -f "tests/fuzz/$name.dict" ] && options+=("-dict=tests/fuzz/$name.dict")
	say "fuzz $name for $seconds s"
	"$builds/fuzz/$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
	    -artifact_prefix="$found" "${options[@]}" "$corpus" "tests/fuzz/corpus/$name" >"$corpus.log" 2>&1 || {
		tail -40 "$corpus.log"
		return 1
	}
	grep -E 'number_of_executed_units|average_exec_per_sec' "$corpus.log"
}

verb_bench()
{
	packages_need "${packages_build[@]}" "${packages_run[@]}"
	build_ready release
	# shellcheck disable=SC2046
	build_tree release all-am $(build_variable release BENCHES)
	POSTHORN_BUILD=$builds/release PYTHONPATH=$here/tests/support /usr/bin/python3 tests/bench/bench.py "$@"
}

# The C programs of tests/crash in shorter runs: each step and each failing call, and few of the random ones.
cover_crash()
{
	local dir=$results/crash-cover
	mkdir -p "$dir"
	say "crash (cover)"
	# shellcheck disable=SC2016
	printf '%s\0%s\0%s\0%s\0' \
	    tests/crash/store_kill "$dir/store_kill.tap" 900 10 \
	    tests/crash/store_errors "$dir/store_errors.tap" 900 '' \
	    tests/crash/store_flip "$dir/store_flip.tap" 900 60 |
	    (cd "$builds/cover" && xargs -0 -r -n 4 -P "$jobs" bash -c 'suite_program "$1" "$2" "$3" $4' suite)
	suite_tap "crash (cover)" "$dir"
}

# Branches of a folder that a run can take: without those that the compiler adds, and without the bugs that assert finds.
cover_branches()
{
	printf '\n--- %s\n' "$1"
	gcovr -r "$here" --gcov-ignore-parse-errors --object-directory "$builds/cover" -f "$1/" -b --sort-percentage \
	    --exclude-throw-branches --exclude-unreachable-branches --exclude-lines-by-pattern '.*\bassert\(.*' \
	    "$builds/cover"
}

verb_cover()
{
	local folder

	packages_need "${packages_build[@]}" "${packages_test[@]}" "${packages_cover[@]}"
	build_for_tests cover
	results=$builds/results
	rm -rf "$results"
	mkdir -p "$results"
	declare -gA stages=()
	find "$builds/cover" -name '*.gcda' -delete
	suite_unit cover
	cover_crash
	gcovr -r "$here" --gcov-ignore-parse-errors --object-directory "$builds/cover" -e tests/ --sort-percentage "$builds/cover"
	for folder in queue/store common/ipc; do
		cover_branches "$folder"
	done
	suites_sum
}
