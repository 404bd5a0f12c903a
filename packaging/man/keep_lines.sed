# help2man fills lines. Those of examples stay as they are.
/^\.SH EXAMPLES/,/^\.PP/ {
  /^\.IP/a .nf
  /^\.PP/i .fi
}
