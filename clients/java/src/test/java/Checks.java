import cccd.agent.CccdAgent;
import cccd.agent.CccdException;
import cccd.agent.CccdProblem;
import cccd.agent.CccdUnreachable;
import cccd.agent.Lease;
import cccd.agent.ReadRequest;
import cccd.agent.ReadResult;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** What the client promises, checked against a desk that tests/tests/clients.rs starts. Says {@code ok NAME} for each. */
public final class Checks {
    private static final JsonObject DESK = JsonParser.parseString(System.getenv("CCCD_DESK")).getAsJsonObject();
    private static final String READER = desk("reader");
    private static final String EMPTY = desk("empty_reader");
    private static final CccdAgent AGENT = new CccdAgent();

    private interface Call {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        check("read", Checks::read);
        check("events resumed", Checks::eventsResumed);
        check("portrait", Checks::portrait);
        check("wrong key", Checks::wrongKey);
        check("expectation", Checks::expectation);
        check("cancelled", Checks::cancelled);
        check("scan", Checks::scan);
        check("lease", Checks::lease);
        check("nobody there", Checks::nobodyThere);
    }

    private static void read() throws Exception {
        List<JsonObject> seen = new ArrayList<>();
        ReadResult result = AGENT.read(card(), seen::add, null);
        same(desk("number"), result.number());
        same(desk("name"), result.name());
        same(desk("number"), AGENT.partial(result.readId()).number());
        same("completed", seen.get(seen.size() - 1).get("state").getAsString());
        int before = 0;
        for (JsonObject stands : seen) {
            int percent = stands.get("percent").getAsInt();
            that(percent >= before);
            before = percent;
        }
        ReadResult again = AGENT.read(card().withoutPortrait());
        same(desk("name"), again.name());
        that(!again.hasPortrait());
    }

    private static void portrait() throws Exception {
        ReadResult result = AGENT.read(card());
        byte[] face = AGENT.portrait(result.readId());
        same(result.json().getAsJsonObject("portrait").get("bytes").getAsInt(), face.length);
        that((face[0] & 0xFF) == 0xFF && (face[1] & 0xFF) == 0xD8);
        AGENT.cancel(result.readId());
        same(410, refused("read-expired", () -> AGENT.result(result.readId())).status());
    }

    private static void wrongKey() throws Exception {
        CccdProblem problem = refused("access-key-wrong", () -> AGENT.read(ReadRequest.can("111111").reader(READER)));
        same(422, problem.status());
        same("user", problem.actor());
        same(9, problem.triesLeft());
        same(32, problem.readId().length());
        that(!problem.title().equals(problem.titleVi()) && !problem.titleVi().isEmpty());
        that(!problem.remedy().equals(problem.remedyVi()) && !problem.remedyVi().isEmpty());
        AGENT.read(card().withoutPortrait()); // gives the tries back
    }

    private static void expectation() throws Exception {
        ReadRequest request = card().withoutPortrait().expect("number", desk("number")).expect("name", "Ai Khác");
        ReadResult result = AGENT.read(request);
        same("match", result.expected("number"));
        same("mismatch", result.expected("name"));
        same(null, result.expected("birth"));
    }

    private static void cancelled() throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        ReadRequest request = ReadRequest.can(desk("can")).reader(EMPTY);
        refused("cancelled", () -> AGENT.read(request, read -> stop.set(true), stop::get));
        String readId = AGENT.start(request, "a key of Java's own").get("read_id").getAsString();
        AGENT.cancel(readId);
        refused("cancelled", () -> AGENT.await(readId, null, null));
    }

    private static void scan() throws Exception {
        JsonObject scan = AGENT.postScan(desk("qr")).get(0).getAsJsonObject();
        same("citizen", scan.get("kind").getAsString());
        same(desk("number"), scan.getAsJsonObject("citizen").get("number").getAsString());
        String scanId = scan.get("scan_id").getAsString();
        ReadResult result = AGENT.read(ReadRequest.scan(scanId).reader(READER).withoutPortrait());
        that(result.json().get("scan_agrees").getAsBoolean());
        AGENT.dismissScan(scanId);
        refused("scan-expired", () -> AGENT.read(ReadRequest.scan(scanId)));
    }

    private static void lease() throws Exception {
        CccdAgent other = new CccdAgent(desk("other_token"));
        AtomicInteger asked = new AtomicInteger();
        CountDownLatch beaten = new CountDownLatch(1);
        CccdAgent counting = new CccdAgent(AGENT_URL, (method, url) -> {
            // The first proof is for taking the lease, the second for keeping it.
            if (asked.incrementAndGet() > 1) {
                beaten.countDown();
            }
            return Collections.singletonMap("Authorization", "Bearer " + System.getenv("CCCD_AGENT_TOKEN"));
        });
        try (Lease lease = counting.lease(READER, 5, null)) {
            that(beaten.await(60, TimeUnit.SECONDS));
            same("clinic", refused("reader-busy", () -> other.read(card())).heldBy());
        }
        same(desk("name"), other.read(card().withoutPortrait()).name());
    }

    private static void eventsResumed() throws Exception {
        String readId = AGENT.read(card()).readId();
        List<JsonObject> cut = until(new CccdAgent(System.getenv("CCCD_AGENT_TOKEN"), System.getenv("CCCD_CUT_URL")), readId);
        long before = 0;
        List<String> ours = new ArrayList<>();
        // Events are numbered from the start of the agent on, so that "from 0" is from before what is still known; after
        // that no break loses one.
        same("events.missed", cut.get(0).get("type").getAsString());
        for (JsonObject event : cut.subList(1, cut.size())) {
            long id = Long.parseLong(event.get("id").getAsString());
            that(id > before);
            before = id;
            JsonObject data = event.getAsJsonObject("data");
            if (data.has("read_id") && data.get("read_id").getAsString().equals(readId)) {
                ours.add(event.get("type").getAsString());
            }
        }
        that(cut.size() > 12);
        same("read.queued", ours.get(0));
        that(ours.contains("read.partial") && ours.contains("read.progress"));
        // The same as a listener hears whose line holds.
        same(until(AGENT, readId), cut);
    }

    private static List<JsonObject> until(CccdAgent agent, String readId) throws CccdException {
        List<JsonObject> events = new ArrayList<>();
        agent.events("0", event -> {
            events.add(event);
            JsonObject data = event.getAsJsonObject("data");
            boolean over = event.get("type").getAsString().equals("read.completed")
                    && data.get("read_id").getAsString().equals(readId);
            return !over;
        });
        return events;
    }

    private static void nobodyThere() throws Exception {
        try {
            new CccdAgent("token", "http://127.0.0.1:1").about();
            throw new AssertionError("somebody answers on port 1");
        } catch (CccdUnreachable nobody) {
            // As it should be.
        }
        refused("scope-missing", () -> AGENT.registers());
        refused("scope-missing", () -> AGENT.loadRoster("0000000000000000", new byte[] {'S'}, "text/csv"));
        same("admin", refused("token-wrong", () -> new CccdAgent("wrong").about()).actor());
    }

    private static final String AGENT_URL = System.getenv("CCCD_AGENT_URL");

    private static ReadRequest card() {
        return ReadRequest.can(desk("can")).reader(READER);
    }

    private static String desk(String name) {
        return DESK.get(name).getAsString();
    }

    private static void check(String name, Call body) throws Exception {
        body.run();
        System.out.println("ok " + name);
    }

    private static CccdProblem refused(String code, Call call) throws Exception {
        try {
            call.run();
        } catch (CccdProblem problem) {
            same(code, problem.code());
            return problem;
        }
        throw new AssertionError("not refused with " + code);
    }

    private static void same(Object wanted, Object found) {
        if (wanted == null ? found != null : !wanted.equals(found)) {
            throw new AssertionError("wanted " + wanted + ", found " + found);
        }
    }

    private static void that(boolean so) {
        if (!so) {
            throw new AssertionError("not so");
        }
    }
}
