package running;

import java.util.Objects;
import java.util.concurrent.Callable;

/** Waits for a condition, with a limit that suits a loaded machine. */
public final class Await {
    private static final long MAX_MS = 40_000;

    private Await() {}

    /** Waits until `condition` holds; `what` is in the error. */
    public static void that(String what, Callable<Boolean> condition) throws Exception {
        that(what, MAX_MS, condition);
    }

    /** The same with a given limit. */
    public static void that(String what, long limitMs, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + limitMs * 1_000_000;
        while (!condition.call()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("never came true: " + what);
            }
            Thread.sleep(10);
        }
    }

    /** Waits until `value` is as expected. */
    public static void equal(Object expected, Callable<?> value) throws Exception {
        long end = System.nanoTime() + MAX_MS * 1_000_000;
        Object last = value.call();
        while (!Objects.equals(expected, last)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("expected " + expected + ", at last " + last);
            }
            Thread.sleep(10);
            last = value.call();
        }
    }
}
