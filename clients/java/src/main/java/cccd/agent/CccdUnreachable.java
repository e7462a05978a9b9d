package cccd.agent;

/** The agent did not answer, or what answered is not the agent. */
public final class CccdUnreachable extends CccdException {
    private static final long serialVersionUID = 1L;

    CccdUnreachable(String message, Throwable cause) {
        super(message, cause);
    }
}
