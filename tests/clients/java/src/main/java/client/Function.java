package client;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.crac.Core;
import org.crac.Resource;

/** The function for Java's runtime client; README.md says what all of them do. */
public class Function implements RequestHandler<Map<String, Object>, Object> {
    /** CRaC holds its resources weakly: nobody else would keep these. */
    private final List<Resource> resources = List.of(new LoggingResource("a"), new LoggingResource("b"));

    private int invocations;

    public Function() {
        resources.forEach(Core.getGlobalContext()::register);
    }

    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        invocations++;
        log("invoke " + invocations);
        return Boolean.TRUE.equals(event.get("big")) ? "x".repeat(6 * 1024 * 1024 - 2) : event;
    }

    private static void log(String line) {
        try {
            Path log = Path.of(System.getenv("CLIENT_LOG"));
            Files.writeString(log, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static final class LoggingResource implements Resource {
        private final String name;

        LoggingResource(String name) {
            this.name = name;
        }

        @Override
        public void beforeCheckpoint(org.crac.Context<? extends Resource> context) {
            log("before " + name);
        }

        @Override
        public void afterRestore(org.crac.Context<? extends Resource> context) {
            log("after " + name);
        }
    }
}
