# tally.py JUNIT_XML FAILED - the last line of a suite that pytest has run; how many failed goes to the file FAILED.
import sys
import xml.etree.ElementTree as tree

suites = list(tree.parse(sys.argv[1]).getroot().iter("testsuite"))
count = lambda key: sum(int(suite.get(key, 0)) for suite in suites)
failed, skipped = count("failures") + count("errors"), count("skipped")
passed = count("tests") - failed - skipped
if passed + failed == 0:
    sys.exit("nothing ran")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
with open(sys.argv[2], "w") as out:
    out.write(str(failed))
