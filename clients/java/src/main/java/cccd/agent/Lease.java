package cccd.agent;

import java.util.function.Consumer;

/** A reader kept for one caller; a thread of its own asks for it again three times per term. */
public final class Lease implements AutoCloseable {
    private final CccdAgent agent;
    private final String path;
    private final int seconds;
    private final Consumer<CccdProblem> onLost;
    private final Thread thread;

    Lease(CccdAgent agent, String path, int seconds, Consumer<CccdProblem> onLost) throws CccdException {
        this.agent = agent;
        this.path = path;
        this.seconds = seconds;
        this.onLost = onLost;
        ask();
        thread = new Thread(this::beat, "cccd-lease");
        thread.setDaemon(true);
        thread.start();
    }

    /** Gives the reader back. */
    @Override
    public void close() throws CccdException {
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        agent.send("DELETE", path, null, null, 0, null);
    }

    private void ask() throws CccdException {
        agent.send("POST", path, "application/json", CccdAgent.utf8("{\"seconds\":" + seconds + "}"), 0, null);
    }

    private void beat() {
        try {
            while (true) {
                Thread.sleep(seconds * 1000L / 3);
                try {
                    ask();
                } catch (CccdProblem problem) {
                    if (onLost != null) {
                        onLost.accept(problem);
                    }
                    return;
                } catch (CccdException noAnswer) {
                    // It may be over by the next beat; an answer is the agent's word.
                    continue;
                }
            }
        } catch (InterruptedException released) {
            // Released.
        }
    }
}
