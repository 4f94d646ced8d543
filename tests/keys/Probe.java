// One start of ZooKeeper, and its resulting value of one key. Loaded afresh for each start; see
// Readings.

import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.zookeeper.server.EphemeralType;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.ZooKeeperServerMain;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;
import org.apache.zookeeper.server.command.FourLetterCommands;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;
import org.apache.zookeeper.util.ServiceUtils;

public class Probe {
    private static final String SERVER = "org.apache.zookeeper.server.";
    private static final String[] WORDS = {"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr",
        "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs"};

    private QuorumPeerConfig config;
    private String held = "-";
    private boolean isServing;

    private class Main extends ZooKeeperServerMain {
        private final String key;

        Main(String key) {
            this.key = key;
        }

        @Override
        protected void serverStarted() {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), getClientPort())) {
                socket.setSoTimeout(20_000);
                socket.getOutputStream().write("srvr".getBytes());
                isServing = socket.getInputStream().readAllBytes().length > 0;
            } catch (Exception failed) {
                isServing = false;
            }
            try {
                held = String.valueOf(held(this, key));
            } catch (Exception failed) {
                held = "? " + failed;
            }
            new Thread(this::close).start();
        }

        void start(String file) throws Exception {
            initializeAndRun(new String[] {file});
        }
    }

    public String[] run(String file, String key) throws Exception {
        ServiceUtils.setSystemExitProcedure(code -> {
            throw new IllegalStateException("exit " + code);
        });
        try {
            config = new QuorumPeerConfig();
            config.parse(file);
        } catch (Throwable refused) {
            return new String[] {"parse", "-"};
        }
        if (config.isDistributed()) {
            return new String[] {"ensemble", "-"};
        }
        try {
            new Main(key).start(file);
        } catch (FileTxnSnapLog.DatadirException missing) {
            // The directory never exists: whether it is created shows the value of this key.
            return new String[] {"starts", "false"};
        } catch (Throwable failed) {
            if (!isServing) {
                return new String[] {"run", "-"};
            }
        }
        return new String[] {isServing ? "starts" : "mute", held};
    }

    private Object held(Main main, String key) throws Exception {
        ServerCnxnFactory factory = (ServerCnxnFactory) field(main, "cnxnFactory");
        ZooKeeperServer server = (ZooKeeperServer) field(factory, "zkServer");
        switch (key) {
            case "skipACL": return field(ZooKeeperServer.class, "skipACL");
            case "enforceQuota": return field(ZooKeeperServer.class, "enforceQuota");
            case "datadir.autocreate": return true;
            case "digest.enabled": return ZooKeeperServer.isDigestEnabled();
            case "closeSessionTxn.enabled": return ZooKeeperServer.isCloseSessionTxnEnabled();
            case "extendedTypesEnabled": return EphemeralType.extendedEphemeralTypesEnabled();
            case "tickTime": return server.getTickTime();
            case "minSessionTimeout": return server.getMinSessionTimeout();
            case "maxSessionTimeout": return server.getMaxSessionTimeout();
            case "maxClientCnxns": return factory.getMaxClientCnxnsPerHost();
            case "maxCnxns": return field(factory, "maxCnxns");
            case "clientPortListenBacklog": return config.getClientPortListenBacklog();
            case "dataDir": return config.getDataDir();
            case "dataLogDir": return config.getDataLogDir();
            case "jute.maxbuffer": return field(Class.forName("org.apache.jute.BinaryInputArchive"), "maxBuffer");
            case "jute.maxbuffer.extrasize": return field(Class.forName("org.apache.jute.BinaryInputArchive"), "extraMaxBuffer");
            case "globalOutstandingLimit": return server.getGlobalOutstandingLimit();
            case "request_throttle_max_requests": return field(Class.forName(SERVER + "RequestThrottler"), "maxRequests");
            case "largeRequestMaxBytes": return server.getLargeRequestMaxBytes();
            case "largeRequestThreshold": return server.getLargeRequestThreshold();
            case "connection_throttle_tokens": return throttle(server, "maxTokens");
            case "connection_throttle_fill_time": return throttle(server, "fillTime");
            case "connection_throttle_fill_count": return throttle(server, "fillCount");
            case "connection_throttle_freeze_time": return throttle(server, "freezeTime");
            case "connection_throttle_drop_increase": return throttle(server, "dropIncrease");
            case "connection_throttle_drop_decrease": return throttle(server, "dropDecrease");
            case "connection_throttle_decrease_ratio": return throttle(server, "decreasePoint");
            case "connection_throttle_weight_enabled":
                return field(Class.forName(SERVER + "BlueThrottle"), "connectionWeightEnabled");
            case "connection_throttle_global_session_weight":
                return field(Class.forName(SERVER + "BlueThrottle"), "DEFAULT_GLOBAL_SESSION_WEIGHT");
            case "connection_throttle_local_session_weight":
                return field(Class.forName(SERVER + "BlueThrottle"), "DEFAULT_LOCAL_SESSION_WEIGHT");
            case "connection_throttle_renew_session_weight":
                return field(Class.forName(SERVER + "BlueThrottle"), "DEFAULT_RENEW_SESSION_WEIGHT");
            case "nio.sessionlessCnxnTimeout": return field(factory, "sessionlessCnxnTimeout");
            case "znode.container.checkIntervalMs": return field(field(main, "containerManager"), "checkIntervalMs");
            case "znode.container.maxPerMinute": return field(field(main, "containerManager"), "maxPerMinute");
            case "znode.container.maxNeverUsedIntervalMs":
                return field(field(main, "containerManager"), "maxNeverUsedIntervalMs");
            case "readonlymode.enabled": return FourLetterCommands.isEnabled("isro");
            case "4lw.commands.whitelist": return words();
            case "preAllocSize": return field(Class.forName(SERVER + "persistence.FilePadding"), "preAllocSize");
            case "snapCount": return ZooKeeperServer.getSnapCount();
            case "snapSizeLimitInKb": return ZooKeeperServer.getSnapSizeInBytes();
            case "fsync.warningthresholdms":
                return field(Class.forName(SERVER + "persistence.FileTxnLog"), "fsyncWarningThresholdMS");
            case "autopurge.snapRetainCount": return config.getSnapRetainCount();
            case "autopurge.purgeInterval": return config.getPurgeInterval();
            case "admin.enableServer": return field(main, "adminServer").getClass().getSimpleName().equals("JettyAdminServer");
            case "admin.serverAddress": return field(field(main, "adminServer"), "address");
            case "admin.serverPort": return field(field(main, "adminServer"), "port");
            case "admin.idleTimeout": return field(field(main, "adminServer"), "idleTimeout");
            case "admin.commandURL": return field(field(main, "adminServer"), "commandUrl");
            case "DigestAuthenticationProvider.enabled": return DigestAuthenticationProvider.isEnabled();
            case "DigestAuthenticationProvider.digestAlg": return DigestAuthenticationProvider.generateDigest("super:password");
            case "DigestAuthenticationProvider.superDigest": return field(DigestAuthenticationProvider.class, "superDigest");
            case "enforce.auth.enabled": return field(field(server, "authHelper"), "enforceAuthEnabled");
            case "enforce.auth.schemes": return field(field(server, "authHelper"), "enforceAuthSchemes");
            default: return "-";
        }
    }

    private static List<String> words() {
        List<String> words = new ArrayList<>();
        for (String word : new TreeSet<>(List.of(WORDS))) {
            if (FourLetterCommands.isEnabled(word)) {
                words.add(word);
            }
        }
        return words;
    }

    private static Object throttle(ZooKeeperServer server, String name) throws Exception {
        return field(field(server, "connThrottle"), name);
    }

    /** The field of this object, or the static one of this class. */
    private static Object field(Object owner, String name) throws Exception {
        Class<?> type = owner instanceof Class ? (Class<?>) owner : owner.getClass();
        while (type != null) {
            try {
                Field field = type.getDeclaredField(name);
                field.setAccessible(true);
                return field.get(owner instanceof Class ? null : owner);
            } catch (NoSuchFieldException above) {
                type = type.getSuperclass();
            }
        }
        throw new NoSuchFieldException(name);
    }
}
