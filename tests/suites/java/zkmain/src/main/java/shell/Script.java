package shell;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;
import running.Await;

/**
 * Runs a script of shell commands through ZooKeeperMain against fresh servers and compares what each prints.
 *
 * Arguments: SCRIPT EXPECTED compares, SCRIPT EXPECTED record writes EXPECTED, SCRIPT - OUT only writes OUT.
 * A line of the script is `SHELL> command`; a shell is connected when it is first named. `$` is a command line of its own:
 * ZooKeeperMain's main with these arguments. `ADDRESS` is where the server serves.
 *
 * With the property `servers`, that many servers are an ensemble. Its ports are words, as in Ensemble; `VERSION` is the
 * version of the configuration that was printed last. `!` is a line for the servers: `stop N`, `start N` or `settle`,
 * which waits until all are one ensemble again and every shell is connected. `= NAME text` writes a file, whose path the word
 * `FILE-NAME` is; a `|` in the text ends a line.
 */
public final class Script {
    /** What differs between runs, and its replacement. */
    private static final Map<Pattern, String> MAPPED = new LinkedHashMap<>();

    static {
        MAPPED.put(Pattern.compile("(?m)^([cm]time =) .*$"), "$1 TIME");
        MAPPED.put(Pattern.compile("(?m)^(ephemeralOwner =) 0x[0-9a-f]{2,}$"), "$1 SESSION");
        MAPPED.put(Pattern.compile("127\\.0\\.0\\.1:\\d+"), "ADDRESS");
        MAPPED.put(Pattern.compile("(?m)^\\s+at .*\n"), "");
    }

    /** Where results go. System.out belongs to the shells until the end: those that were not closed keep printing. */
    private static final PrintStream TERMINAL = System.out;

    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    private final Map<String, Shell> shells = new LinkedHashMap<>();
    private final Targets targets;

    private Script(Targets targets) {
        this.targets = targets;
    }

    /** The shell, with a way to wait for its events. */
    private static final class Shell extends ZooKeeperMain {
        Shell(String address) throws Exception {
            super(new String[] {"-server", address, "-waitforconnection", "-timeout", "30000"});
        }

        /** Returns when every event that the server sent before this call has been printed. */
        void settle() throws Exception {
            if (!zk.getState().isAlive()) {
                return;
            }
            CountDownLatch done = new CountDownLatch(1);
            zk.sync("/", (rc, path, ctx) -> done.countDown(), null);
            if (!done.await(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("sync is not answered");
            }
        }

        /** Returns when the server has answered, over a connection that it did not lose meanwhile. */
        void awaitConnection() throws Exception {
            if (!zk.getState().isAlive()) {
                return;
            }
            Await.that("a shell is connected", () -> {
                try {
                    return zk.exists("/", false) != null;
                } catch (KeeperException.ConnectionLossException e) {
                    return false;
                }
            });
        }

        void end() throws Exception {
            zk.close();
        }
    }

    public static void main(String[] args) throws Exception {
        List<String> script = Files.readAllLines(Path.of(args[0])).stream()
                .filter(line -> !line.isBlank() && !line.startsWith("#")).toList();
        ServiceUtils.setSystemExitProcedure(code -> System.out.println("exit " + code));
        List<String> actual;
        try (Targets targets = Targets.start(Integer.getInteger("servers", 1))) {
            actual = new Script(targets).run(script);
        } catch (Exception | AssertionError e) {
            e.printStackTrace(TERMINAL);
            TERMINAL.println("0 passed, 1 failed, 0 skipped");
            TERMINAL.flush();
            Runtime.getRuntime().exit(1);
            return;
        }
        if (args.length > 2) {
            String text = String.join("", actual);
            Files.writeString(Path.of(args[2].equals("record") ? args[1] : args[2]), text);
            TERMINAL.println(actual.size() + " passed, 0 failed, 0 skipped");
            System.exit(0);
        }
        List<String> expected = sections(Files.readString(Path.of(args[1])));
        int failed = 0;
        for (int i = 0; i < Math.max(actual.size(), expected.size()); i++) {
            String was = i < actual.size() ? actual.get(i) : "nothing\n";
            String should = i < expected.size() ? expected.get(i) : "nothing\n";
            if (!was.equals(should)) {
                failed++;
                TERMINAL.print("FAILED\nexpected:\n" + should.indent(2) + "was:\n" + was.indent(2));
            }
        }
        TERMINAL.printf("%d passed, %d failed, 0 skipped%n", actual.size() - failed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }

    /** A recorded run cut before each command. */
    private static List<String> sections(String text) {
        List<String> sections = new ArrayList<>();
        for (String line : text.split("(?<=\n)")) {
            if (line.matches("(?s)([a-z]>|[$!=]) .*")) {
                sections.add(line);
            } else {
                sections.set(sections.size() - 1, sections.get(sections.size() - 1) + line);
            }
        }
        return sections;
    }

    private List<String> run(List<String> script) throws Exception {
        PrintStream kept = new PrintStream(printed, true, StandardCharsets.UTF_8);
        List<String> sections = new ArrayList<>();
        System.setOut(kept);
        System.setErr(kept);
        for (String line : script) {
            try {
                step(line);
            } catch (Exception | AssertionError e) {
                throw new IllegalStateException("at `" + line + "`, after:\n" + printed.toString(StandardCharsets.UTF_8), e);
            }
            sections.add(section(line));
        }
        for (Shell shell : shells.values()) {
            shell.end();
        }
        return sections;
    }

    private void step(String line) throws Exception {
        String[] parts = line.split(" ", 2);
        String command = targets.filled(parts[1]);
        if (parts[0].equals("$")) {
            ZooKeeperMain.main(("-server " + targets.address(0) + " -waitforconnection " + command).split(" "));
        } else if (parts[0].equals("!")) {
            targets.command(command);
            for (Shell shell : shells.values()) {
                shell.awaitConnection();
            }
        } else if (parts[0].equals("=")) {
            targets.write(command);
        } else {
            Shell shell = shells.get(parts[0]);
            if (shell == null) {
                shell = new Shell(targets.address(shells.size()));
                shells.put(parts[0], shell);
            }
            try {
                shell.executeLine(command);
            } catch (RuntimeException e) {
                System.out.println("thrown: " + e);
            }
        }
        for (Shell shell : shells.values()) {
            shell.settle();
        }
    }

    /** Stock answers these in the order of a hash table, which is arbitrary: sorted. */
    private static void inOrder(String line, List<String> printed) {
        if (line.endsWith(" whoami") && printed.size() > 2) {
            Collections.sort(printed.subList(1, printed.size()));
        }
        int first = 0;
        while (first < printed.size() && !printed.get(first).startsWith("server.")) {
            first++;
        }
        int end = first;
        while (end < printed.size() && printed.get(end).startsWith("server.")) {
            end++;
        }
        Collections.sort(printed.subList(first, end));
        if (line.contains(" getEphemerals")) {
            printed.replaceAll(each -> each.startsWith("[/") ? Arrays.stream(each.substring(1, each.length() - 1).split(", ")).sorted()
                    .collect(Collectors.joining(", ", "[", "]")) : each);
        }
    }

    /** What a command printed: its own lines, then the events of all shells, in the order of each. */
    private String section(String line) {
        List<String> own = new ArrayList<>();
        StringBuilder events = new StringBuilder();
        String text = targets.named(printed.toString(StandardCharsets.UTF_8));
        printed.reset();
        for (Map.Entry<Pattern, String> each : MAPPED.entrySet()) {
            text = each.getKey().matcher(text).replaceAll(each.getValue());
        }
        for (String printedLine : text.split("\n")) {
            if (printedLine.startsWith("WatchedEvent")) {
                // When a connection's own events come is up to the client.
                if (!printedLine.contains("type:None")) {
                    events.append(printedLine).append('\n');
                }
            } else if (!printedLine.isBlank() && !printedLine.equals("WATCHER::")) {
                own.add(printedLine);
            }
        }
        inOrder(line, own);
        return line + "\n" + own.stream().map(each -> each + "\n").collect(Collectors.joining()) + events;
    }
}
