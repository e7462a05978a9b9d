package cccd.agent;

/** A call that was not answered as asked: a {@link CccdProblem}, or nobody there ({@link CccdUnreachable}). */
public abstract class CccdException extends Exception {
    private static final long serialVersionUID = 1L;

    CccdException(String message, Throwable cause) {
        super(message, cause);
    }
}
