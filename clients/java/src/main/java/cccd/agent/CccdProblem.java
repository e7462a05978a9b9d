package cccd.agent;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/**
 * A problem (RFC 9457) that the agent answered with. Decide by {@link #code()}; show {@link #titleVi()} and
 * {@link #remedyVi()} to the person at the desk.
 */
public final class CccdProblem extends CccdException {
    private static final long serialVersionUID = 1L;

    private final transient JsonObject problem;

    CccdProblem(JsonObject problem) {
        super(text(problem, "code") + ": " + text(problem, "detail"), null);
        this.problem = problem;
    }

    /** The stable name, such as {@code access-key-wrong}. */
    public String code() {
        return text(problem, "code");
    }

    /** The HTTP status. */
    public int status() {
        return (int) number(problem, "status", 0);
    }

    /** Whether the same request may succeed later. */
    public boolean retryable() {
        return "true".equals(text(problem, "retryable"));
    }

    /** Whose move it is: {@code user}, {@code operator}, {@code admin} or {@code integrator}. */
    public String actor() {
        return text(problem, "actor");
    }

    /** What happened. */
    public String title() {
        return text(problem, "title");
    }

    /** What happened, in Vietnamese. */
    public String titleVi() {
        return text(problem, "title_vi");
    }

    /** What to do. */
    public String remedy() {
        return text(problem, "remedy");
    }

    /** What to do, in Vietnamese. */
    public String remedyVi() {
        return text(problem, "remedy_vi");
    }

    /** The reading this is about, or null. */
    public String readId() {
        return text(problem, "read_id");
    }

    /** How many tries of this kind of key the chip says are left; -1 where it does not. */
    public int triesLeft() {
        return (int) number(problem, "tries_left", -1);
    }

    /** The caller who has the reader, or null. */
    public String heldBy() {
        return text(problem, "held_by");
    }

    /** The whole problem. */
    public JsonObject json() {
        return problem;
    }

    static String text(JsonObject of, String member) {
        JsonElement element = of.get(member);
        return element != null && element.isJsonPrimitive() ? element.getAsString() : null;
    }

    static long number(JsonObject of, String member, long otherwise) {
        JsonElement element = of.get(member);
        boolean is = element != null && element.isJsonPrimitive() && element.getAsJsonPrimitive().isNumber();
        return is ? element.getAsLong() : otherwise;
    }
}
