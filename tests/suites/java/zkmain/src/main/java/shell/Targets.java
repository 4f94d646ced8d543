package shell;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import running.Ensemble;
import running.Server;

/** The servers that a script works on, and the words by which it calls what differs between runs. */
final class Targets implements AutoCloseable {
    /** super:test, so that a script can reconfigure. */
    private static final String SUPER = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

    private static final Pattern VERSION = Pattern.compile("(?m)^version=([0-9a-f]+)$");

    private final Server single;
    private final Ensemble ensemble;
    private final Map<String, Integer> ports;
    private String version = "0";

    private Targets(Server single, Ensemble ensemble) {
        this.single = single;
        this.ensemble = ensemble;
        ports = ensemble == null ? Map.of() : ensemble.ports();
    }

    static Targets start(int count) throws Exception {
        if (count == 1) {
            return new Targets(new Server("enforceQuota=true"), null);
        }
        return new Targets(null, new Ensemble(count, "reconfigEnabled=true", SUPER));
    }

    /** Where the shell that is opened after `shells` others connects: each to the next server. */
    String address(int shells) {
        return ensemble == null ? single.address() : ensemble.address(1 + shells % (ports.size() / 3));
    }

    /** A command with its words replaced by what they mean in this run. */
    String filled(String command) {
        String text = command.replace("ADDRESS", address(0)).replaceAll("\\bVERSION\\b", version);
        text = text.replaceAll("\\bFILE-(\\w+)", Matcher.quoteReplacement(file("").toString()) + "$1");
        for (Map.Entry<String, Integer> port : ports.entrySet()) {
            text = text.replaceAll("\\b" + port.getKey() + "\\b", port.getValue().toString());
        }
        return text;
    }

    /** What was printed, with the words put back. */
    String named(String printed) {
        Matcher shown = VERSION.matcher(printed);
        while (shown.find()) {
            version = shown.group(1);
        }
        String text = printed.replace(file("").toString(), "FILE-");
        for (Map.Entry<String, Integer> port : ports.entrySet()) {
            text = text.replaceAll("\\b" + port.getValue() + "\\b", port.getKey());
        }
        return text;
    }

    /** A line for the servers. */
    void command(String line) throws Exception {
        String[] words = line.split(" ");
        switch (words[0]) {
            case "stop" -> ensemble.stop(Integer.parseInt(words[1]));
            case "start" -> ensemble.launch(Integer.parseInt(words[1]));
            case "settle" -> { }
            default -> throw new IllegalArgumentException("no such line for servers: " + line);
        }
        ensemble.settle();
    }

    /** `NAME text` becomes a file. */
    void write(String line) throws Exception {
        String[] parts = line.split(" ", 2);
        List<String> lines = new ArrayList<>(List.of(parts[1].split("\\|")));
        Files.write(file(parts[0]), lines);
    }

    private static Path file(String name) {
        return Path.of(System.getProperty("work"), "file-" + name);
    }

    @Override
    public void close() {
        if (ensemble == null) {
            single.close();
        } else {
            ensemble.close();
        }
    }
}
