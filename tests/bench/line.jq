# A row as a line to read: see row() in lib.sh.
def short: if . == null then "-" elif . == 0 then "0" elif fabs >= 100 then (round | tostring)
	elif fabs >= 1 then (. * 100 | round / 100 | tostring) else (. * 10000 | round / 10000 | tostring) end;
def pad($n): . + " " * ([$n - length, 0] | max);
def line: [(if .pass == null then "    " elif .pass then "ok  " else "FAIL" end), (.name | pad(72)), (.goal | pad(8)),
	(.figure | short | pad(10)), (.reference | short | pad(10)), (.ratio | short | pad(7)), .unit,
	(if .note == "" then empty else "(\(.note))" end)] | join("  ") | sub(" +$"; "");
