# Completion of trainer for bash. Commands and options are read from `trainer COMMAND --help`, so that they are always
# those of the program.

_trainer() {
  local cur prev words cword split
  _init_completion -s || return
  local command=
  [[ $cword -gt 1 && ${words[1]} != -* ]] && command=${words[1]}
  local help
  help=$("${words[0]/#\~/$HOME}" ${command:+"$command"} --help 2>/dev/null) || return

  case $prev in
    --checkpoint) COMPREPLY=($(compgen -W "best last" -- "$cur")); return ;;
    --format) COMPREPLY=($(compgen -W "dense masked packed sparse24-bitmask semi-structured onnx" -- "$cur")); return ;;
    --dtype) COMPREPLY=($(compgen -W "F32 F16 BF16" -- "$cur")); return ;;
    --precision) COMPREPLY=($(compgen -W "fp32 bf16" -- "$cur")); return ;;
    --names) COMPREPLY=($(compgen -W "own huggingface" -- "$cur")); return ;;
  esac
  # A line of the help: "  -o,--output PATH REQUIRED   The file ...". What an option takes is a word of capitals.
  local line names type options=() commands=() in_commands=
  local option='^  (-[a-zA-Z],)?(--[a-z0-9-]+)( ([A-Z]+)(=[^ ]*)?(:| |$))?' entry='^  ([a-z-]+) +[A-Z]'
  while IFS= read -r line; do
    [[ $line == Commands* ]] && in_commands=1
    [[ -z $line ]] && in_commands=
    if [[ $line =~ $option ]]; then
      names="${BASH_REMATCH[1]%,} ${BASH_REMATCH[2]}" type=${BASH_REMATCH[4]}
      options+=("${BASH_REMATCH[2]}")
      if [[ " $names " == *" $prev "* && -n $type ]]; then
        case $type in
          DIR) _filedir -d ;;
          FILE | PATH) [[ $prev == --set ]] || _filedir ;;
        esac
        return
      fi
    elif [[ -n $in_commands && $line =~ $entry ]]; then
      commands+=("${BASH_REMATCH[1]}")
    fi
  done <<<"$help"
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "${options[*]}" -- "$cur"))
  elif [[ $cword -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${commands[*]}" -- "$cur"))
  else
    _filedir
  fi
} && complete -F _trainer trainer
