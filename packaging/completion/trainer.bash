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
  if [[ $prev == -* ]]; then
    # What the help calls the option's value; nothing if it takes none.
    case $(sed -nE "s/^  (-[a-zA-Z],)?$prev(,--[a-z-]+)? ([A-Z]+=?[A-Z]*).*/\3/p" <<<"$help") in
      DIR*) _filedir -d; return ;;
      FILE* | PATH) _filedir; return ;;
      ?*) return ;;
    esac
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(sed -nE 's/^  (-[a-zA-Z],)?(--[a-z0-9-]+).*/\2/p' <<<"$help")" -- "$cur"))
  elif [[ $cword -eq 1 ]]; then
    COMPREPLY=($(compgen -W "$(sed -nE '/^Commands/,/^$/s/^  ([a-z-]+) .*/\1/p' <<<"$help")" -- "$cur"))
  else
    _filedir
  fi
} && complete -F _trainer trainer
