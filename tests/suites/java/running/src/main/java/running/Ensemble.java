package running;

import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Servers of the suite's own that form an ensemble. Server `n` is the one of `server.n`, from 1. */
public final class Ensemble implements AutoCloseable {
    private final List<Server> servers = new ArrayList<>();
    private final List<Boolean> runs = new ArrayList<>();
    private final Map<String, Integer> ports = new LinkedHashMap<>();

    /** Starts so many servers; the last but one leads. `lines` are added to each zoo.cfg. */
    public Ensemble(int count, String... lines) throws Exception {
        List<String> config = new ArrayList<>(List.of(lines));
        config.addAll(List.of("initLimit=40", "syncLimit=20"));
        for (int n = 1; n <= count; n++) {
            for (String kind : List.of("CLIENT", "PEER", "ELECTION")) {
                ports.put(kind + n, Server.freePort());
            }
            config.add("server." + n + "=127.0.0.1:" + ports.get("PEER" + n) + ":" + ports.get("ELECTION" + n));
        }
        for (int n = 1; n <= count; n++) {
            Server server = new Server(ports.get("CLIENT" + n), config);
            Files.writeString(server.folder().resolve("data").resolve("myid"), n + "\n");
            servers.add(server);
            runs.add(false);
        }
        // The first of them are a quorum without the last: their election does not depend on who is quicker.
        for (int n = 1; n < count; n++) {
            launch(n);
        }
        settle();
        launch(count);
        settle();
    }

    /** All ports, by the names CLIENTn, PEERn and ELECTIONn. */
    public Map<String, Integer> ports() {
        return ports;
    }

    /** The connect string of one server. */
    public String address(int n) {
        return servers.get(n - 1).address();
    }

    /** The same of all. */
    public String addresses() {
        return String.join(",", servers.stream().map(Server::address).toList());
    }

    public Server server(int n) {
        return servers.get(n - 1);
    }

    /** Runs a server (again), and does not wait. */
    public void launch(int n) throws Exception {
        server(n).launch();
        runs.set(n - 1, true);
    }

    /** Stops a server with SIGTERM. */
    public void stop(int n) throws Exception {
        runs.set(n - 1, false);
        server(n).stop();
    }

    /** Waits until all that run serve, and one of them leads all others. */
    public void settle() throws Exception {
        Await.that("the servers that run serve, and one leads the others", 90_000, () -> {
            int others = -1;
            int led = 0;
            for (int at = 0; at < servers.size(); at++) {
                String state = runs.get(at) ? servers.get(at).word("mntr") : "";
                if (runs.get(at) && !state.contains("zk_server_state")) {
                    return false;
                }
                others += runs.get(at) ? 1 : 0;
                led += number(state, "zk_synced_followers") + number(state, "zk_synced_observers");
            }
            return led == others;
        });
    }

    private static int number(String state, String key) {
        for (String line : state.split("\n")) {
            String[] parts = line.split("\t");
            if (parts.length == 2 && parts[0].equals(key)) {
                return (int) Double.parseDouble(parts[1]);
            }
        }
        return 0;
    }

    @Override
    public void close() {
        servers.forEach(Server::close);
    }
}
