package running;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the test classes (or Class#method) named as arguments, without those that the file `deselected` names (a property). Results go to
 * `work`/results, failures and the tally to stdout.
 */
public final class Run implements TestExecutionListener {
    private final PrintWriter results;
    private long began;
    private int passed;
    private int failed;
    private int skipped;

    private Run(PrintWriter results) {
        this.results = results;
    }

    /** Leaves out what is deselected: lines of `Class#method  # reason`. */
    private static PostDiscoveryFilter selected() throws IOException {
        String file = System.getProperty("deselected");
        Set<String> out = file == null ? Set.of() : Files.readAllLines(Path.of(file)).stream()
                .filter(line -> !line.startsWith("#")).map(line -> line.split("\\s+")[0]).collect(Collectors.toSet());
        return test -> FilterResult.includedIf(!(test.getSource().orElse(null) instanceof MethodSource method)
                || !out.contains(method.getClassName() + "#" + method.getMethodName()));
    }

    public static void main(String[] args) throws Exception {
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request()
                .selectors(Arrays.stream(args).map(name -> name.contains("#") ? DiscoverySelectors.selectMethod(name)
                        : DiscoverySelectors.selectClass(name)).toList())
                .configurationParameter("junit.jupiter.execution.timeout.default", System.getProperty("test.timeout", "180 s"))
                .configurationParameter("junit.jupiter.execution.timeout.thread.mode.default", "SEPARATE_THREAD")
                .filters(selected())
                .build();
        Path file = Path.of(System.getProperty("work"), "results");
        Files.createDirectories(file.getParent());
        Run run;
        try (PrintWriter results = new PrintWriter(Files.newBufferedWriter(file))) {
            run = new Run(results);
            LauncherFactory.create().execute(request, run);
        }
        if (run.passed + run.failed == 0) {
            run.failed = 1;
            System.out.println("FAILED: no test was found");
        }
        System.out.printf("%d passed, %d failed, %d skipped%n", run.passed, run.failed, run.skipped);
        System.out.flush();
        Runtime.getRuntime().exit(run.failed == 0 ? 0 : 1);
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        if (test.isTest()) {
            began = System.nanoTime();
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        skipped++;
        results.println("skipped " + name(test) + ": " + reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        long ms = (System.nanoTime() - began) / 1_000_000;
        if (result.getStatus() == TestExecutionResult.Status.SUCCESSFUL) {
            if (test.isTest()) {
                passed++;
                results.printf("passed %s %d ms%n", name(test), ms);
            }
        } else {
            failed++;
            Throwable cause = result.getThrowable().orElse(null);
            System.out.println("FAILED " + name(test) + ": " + cause);
            results.printf("failed %s %d ms%n", name(test), ms);
            if (cause != null) {
                cause.printStackTrace(results);
            }
        }
        results.flush();
    }

    private static String name(TestIdentifier test) {
        var source = test.getSource().orElse(null);
        if (source instanceof MethodSource method) {
            return method.getClassName() + "#" + method.getMethodName();
        }
        return source instanceof ClassSource named ? named.getClassName() : test.getDisplayName();
    }
}
