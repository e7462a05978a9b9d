package cccd.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * The client of cccd-agent's local API, as one caller sees it. Threads may share it.
 *
 * <pre>{@code
 * ReadResult result = new CccdAgent(token).read(ReadRequest.can("123456"));
 * System.out.println(result.name());
 * }</pre>
 *
 * It keeps nothing of anybody, logs nothing, uses no proxy, and speaks to loopback only unless told otherwise.
 */
public final class CccdAgent {
    /** Where the agent listens unless its settings say otherwise. An address, as names may lead elsewhere. */
    public static final String DEFAULT_URL = "http://127.0.0.1:9303";

    /** The longest one request may wait for the outcome (RFC 7240), in seconds. */
    private static final int LONGEST_WAIT_S = 60;
    /** How long any answer may take beyond what was asked to be waited for. */
    private static final int PATIENCE_MS = 20_000;
    /** The server pings every 15 seconds: a stream that is silent for longer than this is dead. */
    private static final int SILENCE_MS = 45_000;
    /** How often a reading is looked after. */
    private static final int LOOK_EVERY_MS = 250;
    /** The longest answer, and the longest line of the event stream, that is taken in. */
    private static final int LONGEST_ANSWER = 64 << 20;
    private static final int LONGEST_LINE = 64 << 10;

    private final String url;
    private final BiFunction<String, String, Map<String, String>> authorize;

    /** With the token and address that CCCD_AGENT_TOKEN and CCCD_AGENT_URL name. */
    public CccdAgent() {
        this(System.getenv("CCCD_AGENT_TOKEN"));
    }

    /** With this token, at the address that CCCD_AGENT_URL names, or the usual one. */
    public CccdAgent(String token) {
        this(token, System.getenv("CCCD_AGENT_URL"));
    }

    /** With this token, at this address. */
    public CccdAgent(String token, String url) {
        this(url, (method, target) -> token == null
                ? Collections.emptyMap()
                : Collections.singletonMap("Authorization", "Bearer " + token));
    }

    /** With another proof than a token: {@code authorize(method, url)} makes its headers anew for each request. */
    public CccdAgent(String url, BiFunction<String, String, Map<String, String>> authorize) {
        String named = url == null || url.isEmpty() ? DEFAULT_URL : url;
        this.url = named.endsWith("/") ? named.substring(0, named.length() - 1) : named;
        this.authorize = authorize;
    }

    /** Versions and features. */
    public JsonObject about() throws CccdException {
        return json("GET", "/v1");
    }

    /** The readers that stand there, and what lies on them. */
    public JsonArray readers() throws CccdException {
        return array(json("GET", "/v1/readers"), "readers");
    }

    /** Reads one card: asks, waits, and gives the result. A reading that fails is thrown as a {@link CccdProblem}. */
    public ReadResult read(ReadRequest request) throws CccdException {
        Answer answer = ask(request, LONGEST_WAIT_S, newKey());
        JsonObject body = object(answer.body);
        return answer.status == 200 ? new ReadResult(body) : await(id(body), null, null);
    }

    /**
     * The same, telling {@code onProgress} (or null) where the reading stands whenever that changes; it is called off as
     * soon as {@code cancelled} (or null) says so.
     */
    public ReadResult read(ReadRequest request, Consumer<JsonObject> onProgress, BooleanSupplier cancelled)
            throws CccdException {
        return await(id(start(request, newKey())), onProgress, cancelled);
    }

    /**
     * Asks for a reading and does not wait for it: where it stands, with its {@code read_id}. The same key and request
     * again are the same reading.
     */
    public JsonObject start(ReadRequest request, String idempotencyKey) throws CccdException {
        return object(ask(request, 0, idempotencyKey).body);
    }

    /** Waits for the end of a reading and gives its result. */
    public ReadResult await(String readId, Consumer<JsonObject> onProgress, BooleanSupplier cancelled)
            throws CccdException {
        String before = null;
        while (true) {
            if (Thread.currentThread().isInterrupted() || (cancelled != null && cancelled.getAsBoolean())) {
                cancel(readId);
            }
            JsonObject read = status(readId);
            String stands = read.get("state") + " " + read.get("phase") + " " + read.get("percent") + " " + read.get("ahead");
            if (onProgress != null && !stands.equals(before)) {
                onProgress.accept(read);
            }
            before = stands;
            String state = CccdProblem.text(read, "state");
            if ("completed".equals(state) || "expired".equals(state)) {
                return result(readId);
            }
            if ("failed".equals(state)) {
                throw new CccdProblem(read.getAsJsonObject("problem"));
            }
            pause(LOOK_EVERY_MS);
        }
    }

    /** Where a reading stands. */
    public JsonObject status(String readId) throws CccdException {
        return json("GET", "/v1/reads/" + segment(readId));
    }

    /** What a reading found. */
    public ReadResult result(String readId) throws CccdException {
        return new ReadResult(json("GET", "/v1/reads/" + segment(readId) + "/result"));
    }

    /** Who it is, before the face has arrived and anything is judged. */
    public ReadResult partial(String readId) throws CccdException {
        return new ReadResult(json("GET", "/v1/reads/" + segment(readId) + "/partial"));
    }

    /** The face of a reading, as JPEG or PNG. */
    public byte[] portrait(String readId) throws CccdException {
        Map<String, String> headers = Collections.singletonMap("Accept", "*/*");
        return send("GET", "/v1/reads/" + segment(readId) + "/portrait", null, null, 0, headers).body;
    }

    /** Calls a reading off, or wipes its result. */
    public JsonObject cancel(String readId) throws CccdException {
        return json("DELETE", "/v1/reads/" + segment(readId));
    }

    /** Posts the text a scanner typed. Gives its codes. */
    public JsonArray postScan(String text) throws CccdException {
        JsonObject body = new JsonObject();
        body.addProperty("text", text);
        return array(object(send("POST", "/v1/scans", "application/json", utf8(body.toString()), 0, null).body), "codes");
    }

    /** Posts a picture of codes, such as {@code image/jpeg}. Gives its codes. */
    public JsonArray postScan(byte[] picture, String mediaType) throws CccdException {
        return array(object(send("POST", "/v1/scans", mediaType, picture, 0, null).body), "codes");
    }

    /** What a scanner of the desk scanned; it is handed out once. */
    public JsonObject fetchScan(String scanId) throws CccdException {
        return json("GET", "/v1/scans/" + segment(scanId));
    }

    /** Wipes a scan. */
    public void dismissScan(String scanId) throws CccdException {
        send("DELETE", "/v1/scans/" + segment(scanId), null, null, 0, null);
    }

    /** The registers, counted: nobody by name. */
    public JsonArray registers() throws CccdException {
        return array(json("GET", "/v1/registers"), "registers");
    }

    /** Says who is expected in a register: a roster, {@code text/csv} or XLSX, in place of the one before. */
    public JsonObject loadRoster(String registerId, byte[] file, String mediaType) throws CccdException {
        return object(send("POST", "/v1/registers/" + segment(registerId) + "/roster", mediaType, file, 0, null).body);
    }

    /** Takes a list of persons away, as a file; {@code wish} as the API has it. Who took it is in the agent's audit. */
    public byte[] exportRegister(String registerId, JsonObject wish) throws CccdException {
        Map<String, String> headers = Collections.singletonMap("Accept", "*/*");
        String path = "/v1/registers/" + segment(registerId) + "/exports";
        return send("POST", path, "application/json", utf8(wish.toString()), 0, headers).body;
    }

    /** Keeps a reader for this caller until the lease is closed; {@code onLost} (or null) hears where it is lost. */
    public Lease lease(String readerId, int seconds, Consumer<CccdProblem> onLost) throws CccdException {
        return new Lease(this, "/v1/readers/" + segment(readerId) + "/lease", seconds, onLost);
    }

    /**
     * Hands what happens to {@code listener}, as it happens, until that answers false or the thread is interrupted: readers,
     * cards, scans and this caller's readings; nothing about a person.
     *
     * <p>A broken stream is taken up again where it broke off, each event once; {@code events.missed} says that some may
     * be gone.
     *
     * @param lastEventId the last event heard; null begins now, "0" with the oldest that is still known
     */
    public void events(String lastEventId, Predicate<JsonObject> listener) throws CccdException {
        Stream stream = new Stream(lastEventId, listener);
        while (!Thread.currentThread().isInterrupted()) {
            try {
                if (stream.listen()) {
                    return;
                }
            } catch (CccdProblem problem) {
                if (!problem.retryable()) {
                    throw problem;
                }
            } catch (CccdUnreachable | IOException broken) {
                // Taken up again below.
            }
            pause(stream.comeBackMs);
        }
    }

    /** One listener, over however many connections. */
    private final class Stream {
        private final Predicate<JsonObject> listener;
        private String last;
        private int comeBackMs = 1000;

        Stream(String last, Predicate<JsonObject> listener) {
            this.last = last;
            this.listener = listener;
        }

        /** Listens on one connection (HTML, 9.2.6): true once the listener has heard enough, false where it broke. */
        boolean listen() throws CccdException, IOException {
            Map<String, String> headers = new LinkedHashMap<>();
            headers.put("Accept", "text/event-stream");
            if (last != null) {
                headers.put("Last-Event-ID", last);
            }
            HttpURLConnection connection = open("GET", "/v1/events", null, null, SILENCE_MS, headers);
            try (InputStream in = new BufferedInputStream(taken(connection))) {
                String data = null;
                String id = null;
                for (String line = line(in); line != null; line = line(in)) {
                    int colon = line.indexOf(':');
                    String name = colon < 0 ? line : line.substring(0, colon);
                    String text = colon < 0 ? "" : line.substring(colon + 1).replaceFirst("^ ", "");
                    if (line.isEmpty()) {
                        if (data != null) {
                            last = id == null ? last : id;
                            if (!listener.test(object(utf8(data)))) {
                                return true;
                            }
                        }
                        data = null;
                        id = null;
                    } else if (name.equals("data")) {
                        data = data == null ? text : data + "\n" + text;
                    } else if (name.equals("id")) {
                        id = text;
                    } else if (name.equals("retry") && text.matches("[0-9]{1,6}")) {
                        comeBackMs = Integer.parseInt(text);
                    }
                }
                return false;
            } finally {
                connection.disconnect();
            }
        }
    }

    private Answer ask(ReadRequest request, int wait, String key) throws CccdException {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Idempotency-Key", key);
        if (wait > 0) {
            headers.put("Prefer", "wait=" + wait);
        }
        byte[] body = utf8(request.json().toString());
        try {
            return send("POST", "/v1/reads", "application/json", body, wait, headers);
        } catch (CccdUnreachable broken) {
            // Before the answer: the same key asks for the same reading, never for a second one.
            return send("POST", "/v1/reads", "application/json", body, wait, headers);
        }
    }

    private JsonObject json(String method, String path) throws CccdException {
        return object(send(method, path, null, null, 0, null).body);
    }

    static final class Answer {
        final int status;
        final byte[] body;

        Answer(int status, byte[] body) {
            this.status = status;
            this.body = body;
        }
    }

    Answer send(String method, String path, String type, byte[] body, int waitS, Map<String, String> headers)
            throws CccdException {
        HttpURLConnection connection = open(method, path, type, body, waitS * 1000 + PATIENCE_MS, headers);
        try (InputStream in = taken(connection)) {
            return new Answer(connection.getResponseCode(), whole(in));
        } catch (IOException broken) {
            throw new CccdUnreachable("the answer broke off", broken);
        }
    }

    /** Sends a request; what comes back has not been looked at. */
    private HttpURLConnection open(
            String method, String path, String type, byte[] body, int patienceMs, Map<String, String> headers)
            throws CccdUnreachable {
        try {
            HttpURLConnection connection = (HttpURLConnection) new URL(url + path).openConnection(Proxy.NO_PROXY);
            connection.setRequestMethod(method);
            connection.setInstanceFollowRedirects(false);
            connection.setUseCaches(false);
            connection.setConnectTimeout(PATIENCE_MS);
            connection.setReadTimeout(patienceMs);
            connection.setRequestProperty("Accept", "application/json");
            if (type != null) {
                connection.setRequestProperty("Content-Type", type);
            }
            if (headers != null) {
                headers.forEach(connection::setRequestProperty);
            }
            authorize.apply(method, url + path).forEach(connection::setRequestProperty);
            if (body != null) {
                connection.setDoOutput(true);
                try (OutputStream out = connection.getOutputStream()) {
                    out.write(body);
                }
            }
            connection.getResponseCode();
            return connection;
        } catch (IOException nobody) {
            throw new CccdUnreachable("no answer from " + url, nobody);
        }
    }

    /** The body of a good answer; any other is thrown. */
    private InputStream taken(HttpURLConnection connection) throws CccdException, IOException {
        int status = connection.getResponseCode();
        if (status >= 200 && status < 300) {
            return connection.getInputStream();
        }
        String type = connection.getContentType();
        InputStream error = connection.getErrorStream();
        if (error != null && type != null && type.startsWith("application/problem+json")) {
            throw new CccdProblem(object(whole(error)));
        }
        throw new CccdUnreachable(url + " answered " + status + ", and not as the agent does", null);
    }

    private static byte[] whole(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] buffer = new byte[16 * 1024];
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
            out.write(buffer, 0, count);
            if (out.size() > LONGEST_ANSWER) {
                throw new IOException("the answer has no end");
            }
        }
        return out.toByteArray();
    }

    /** The next line without its end; null where the stream ends before the line does. */
    private static String line(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int next = in.read(); next >= 0; next = in.read()) {
            if (next == '\n') {
                return new String(out.toByteArray(), StandardCharsets.UTF_8);
            }
            if (next != '\r') {
                out.write(next);
            }
            if (out.size() > LONGEST_LINE) {
                return null;
            }
        }
        return null;
    }

    private static JsonObject object(byte[] text) throws CccdUnreachable {
        try {
            JsonElement element = JsonParser.parseString(new String(text, StandardCharsets.UTF_8));
            if (element.isJsonObject()) {
                return element.getAsJsonObject();
            }
        } catch (JsonParseException none) {
            throw new CccdUnreachable("the answer is no JSON", none);
        }
        throw new CccdUnreachable("the answer is no JSON object", null);
    }

    private static JsonArray array(JsonObject of, String member) throws CccdUnreachable {
        JsonElement element = of.get(member);
        if (element == null || !element.isJsonArray()) {
            throw new CccdUnreachable("the answer has no " + member, null);
        }
        return element.getAsJsonArray();
    }

    private static String id(JsonObject read) {
        return CccdProblem.text(read, "read_id");
    }

    /** Readers' names and hexadecimal digits; anything else is escaped. */
    private static String segment(String text) {
        StringBuilder out = new StringBuilder();
        for (byte octet : utf8(text)) {
            char letter = (char) (octet & 0xFF);
            boolean plain = letter < 0x80 && (Character.isLetterOrDigit(letter) || "-._~".indexOf(letter) >= 0);
            out.append(plain ? String.valueOf(letter) : String.format("%%%02X", (int) letter));
        }
        return out.toString();
    }

    /** A key nobody else has. */
    private static String newKey() {
        byte[] bytes = new byte[16];
        new SecureRandom().nextBytes(bytes);
        StringBuilder out = new StringBuilder();
        for (byte octet : bytes) {
            out.append(String.format("%02x", octet));
        }
        return out.toString();
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Waits; an interruption ends it, and stays for whoever looks next. */
    private static void pause(int ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
