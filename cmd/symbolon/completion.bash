# What the lines below want of the package bash-completion, where that is not there.
declare -F _get_comp_words_by_ref >/dev/null ||
# The caller's words, cword, cur and prev: bash breaks words at = and : too, and these are put together again.
_get_comp_words_by_ref()
{
    local i word line=${COMP_LINE:0:COMP_POINT}
    words=() cword=-1
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $line == [[:space:]]* ]]; then
            words[++cword]=
        fi
        line=${line#"${line%%[![:space:]]*}"}
        ((i < COMP_CWORD)) || word=$line # up to the cursor
        words[cword]+=$word
        line=${line#"$word"}
    done
    cur=${words[cword]}
    prev=
    ((cword == 0)) || prev=${words[cword - 1]}
}
declare -F _filedir >/dev/null ||
_filedir() { compopt -o default; } # bash's own names of files

