# From pairs of TAP files (…/direct/t5541.tap, …/through/t5541.tap): a table in Markdown, then each test whose result differs.
# Known breakages of git itself (# TODO) and tests that this machine cannot run (# skip) are counted apart.
function result(line) {
  if (line ~ /^not ok/) return line ~ /# TODO known breakage/ ? "known" : "not ok"
  return line ~ /^ok [0-9]+ # skip/ ? "skipped" : "ok"
}
FNR == 1 {
  n = split(FILENAME, part, "/"); mode = part[n - 1]; file = part[n]; sub(/\.tap$/, "", file)
  if (!(file in seen)) { seen[file] = 1; files[++count] = file }
}
/^(not )?ok/ {
  number = $0; sub(/^not /, "", number); sub(/^ok /, "", number)
  name = number; sub(/^[0-9]+ (- |# skip )?/, "", name); sub(/ .*/, "", number)
  r = result($0); got[mode, file, number] = r; total[mode, file, r]++; sum[mode, r]++
  if (!((file, number) in names)) { names[file, number] = name; order[file, ++tests[file]] = number }
}
/^1\.\.0 # SKIP/ { whole[mode, file] = $0; sub(/^1\.\.0 # SKIP */, "", whole[mode, file]) }
function cell(mode, file) {
  return (total[mode, file, "ok"] + 0) " | " (total[mode, file, "not ok"] + 0) " | " (total[mode, file, "skipped"] + 0)
}
END {
  print "| file | tests | direct: ok | not ok | left out | through: ok | not ok | left out |"
  print "|---|--:|--:|--:|--:|--:|--:|--:|"
  for (i = 1; i <= count; i++) {
    f = files[i]; all += tests[f]
    print "| " f " | " (tests[f] + 0) " | " cell("direct", f) " | " cell("through", f) " |"
  }
  print "| **all** | " all " | " (sum["direct", "ok"] + 0) " | " (sum["direct", "not ok"] + 0) " | " (sum["direct", "skipped"] + 0) \
    " | " (sum["through", "ok"] + 0) " | " (sum["through", "not ok"] + 0) " | " (sum["through", "skipped"] + 0) " |"
  print ""
  for (i = 1; i <= count; i++) {
    f = files[i]
    if (whole["through", f] != "") print "- " f ": not run: " whole["through", f]
    for (j = 1; j <= tests[f]; j++) {
      number = order[f, j]; d = got["direct", f, number]; t = got["through", f, number]
      if (d != t) { print "- " f " " number ", " names[f, number] ": " (d == "" ? "not reached" : d) " direct, " (t == "" ? "not reached" : t) " through"; differ++ }
    }
  }
  print (differ + 0) " different"
}
