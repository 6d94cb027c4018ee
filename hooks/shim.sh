#!/bin/sh
# ics-guard hook @DIGEST@; `ics-guard uninstall` puts back what was here before.
hook=@HOOK@
python=@PYTHON@
package=@PACKAGE@
case $0 in */*) chained=${0%/*}/$hook.ics-guard-chained ;; *) chained=./$hook.ics-guard-chained ;; esac

say() { printf 'ics-guard: %s\n' "$@" >&2; }
installed() { [ -x "$python" ] && [ -f "$package/__main__.py" ]; }
loads() { "$python" -P -c "import ics_guard.$1" 2>/dev/null; }
guard() { if installed; then "$python" -P -m ics_guard hook "$hook" "$@"; else ics-guard hook "$hook" "$@"; fi; }
why="$python or what it needs is gone"
mend="mend it: python3 -m pip install ics-guard && ics-guard install"

# Two programs here read what git says on standard input.
case $hook in pre-push | post-rewrite) lines=$(cat && echo .) && lines=${lines%.} ;; esac
give() { case $hook in pre-push | post-rewrite) printf %s "$lines" | "$@" ;; *) "$@" ;; esac; }

# Given a question to git without its paths: does it say that no watched one is touched? Trusted only if the sieve was
# compiled from these very inputs.
untouched() {
    unset GIT_LITERAL_PATHSPECS GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS
    folder=${GIT_DIR:-.git}
    if [ -f "$folder" ]; then
        IFS= read -r folder <"$folder" || return
        folder=${folder#gitdir: }
    fi
    if [ -f "$folder/commondir" ]; then
        IFS= read -r common <"$folder/commondir" || return
        case $common in /*) folder=$common ;; *) folder=$folder/$common ;; esac
    fi
    [ -f "$folder/ics-guard/sieve" ] || return
    header='' inputs='' watched='' newline='
'
    while IFS= read -r line; do
        header=$header$line$newline
        case $line in
        'input '*) inputs=$inputs${line#input }$newline ;;
        'watch '*) watched=$watched${line#watch }$newline ;;
        'absent '*) [ ! -e "${line#absent }" ] || return ;;
        'ics-guard sieve 1') ;;
        '') break ;;
        *) return 1 ;;
        esac
    done <"$folder/ics-guard/sieve"
    [ -n "$inputs" ] || return
    set -f # the lists below are split at line breaks and nowhere else
    IFS=$newline
    # Side by side, and in the C locale: loading another would take a tenth of the time.
    { printf %s "$header" && LC_ALL=C exec cat -- $inputs; } 2>/dev/null | LC_ALL=C cmp -s - "$folder/ics-guard/sieve" &
    LC_ALL=C GIT_NO_REPLACE_OBJECTS=1 git "$@" -- $watched 2>/dev/null && wait $!
}

blocked() {
    say "cannot run ($1), and this may change a schema: blocked" "$mend"
    if [ -e "$chained" ]; then say "or take it out: mv '$chained' '$0'"; else say "or take it out: rm '$0'"; fi
    exit 1
}

status=0
if [ -x "$chained" ]; then
    give "$chained" "$@" || status=$?
fi

quiet='--quiet --no-ext-diff --no-textconv --ignore-submodules=none'
case $hook in
post-*) # never fails the git command, whatever happens; what the hook before it says stands
    trap : INT TERM HUP
    case $hook,$1,$3 in
    post-checkout,*[!0]*,1) [ "$1" != "$2" ] && ! untouched diff-tree -r $quiet "$1" "$2" || exit $status ;;
    post-checkout,* | post-rewrite,amend,*) exit $status ;; # files, a new clone or worktree: nothing came in
    post-merge,0,*) ! untouched diff-tree -r $quiet 'HEAD@{1}' HEAD || exit $status ;;
    esac
    if installed || command -v ics-guard >/dev/null; then
        give guard "$@" || say "incoming migrations were not looked at"
    else
        say "cannot run ($why): incoming migrations are not looked at" "$mend"
    fi
    exit $status
    ;;
pre-commit | pre-merge-commit)
    [ $status = 0 ] || exit $status
    if untouched diff-index --cached $quiet HEAD; then
        installed || command -v ics-guard >/dev/null ||
            say "cannot run ($why); nothing watched is touched, so this passes" "$mend"
        exit 0
    fi
    ;;
esac

[ $status = 0 ] || exit $status
installed || command -v ics-guard >/dev/null || blocked "$why"
give guard "$@" || status=$?
case $status in
1) ! installed || loads __main__ || blocked "it does not load" ;;
70) ! installed || loads cli.gating || blocked "it does not load" ;;
126 | 127) blocked "$why" ;;
esac
exit $status
