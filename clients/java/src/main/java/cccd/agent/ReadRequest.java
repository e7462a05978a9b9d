package cccd.agent;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;

/** A reading, asked for: what opens the chip, and what is wanted. */
public final class ReadRequest {
    private final JsonObject body = new JsonObject();

    private ReadRequest(String kind, String value) {
        JsonObject access = new JsonObject();
        access.addProperty(kind, value);
        body.add("access", access);
    }

    /** Opened by the card access number: the six digits at the lower right of the card's face. */
    public static ReadRequest can(String sixDigits) {
        return new ReadRequest("can", sixDigits);
    }

    /** Opened by the personal number. */
    public static ReadRequest id(String twelveDigits) {
        return new ReadRequest("id", twelveDigits);
    }

    /** Opened by the text of the card's QR code. */
    public static ReadRequest qr(String text) {
        return new ReadRequest("qr", text);
    }

    /** Opened by the lines of the MRZ on the card's back. */
    public static ReadRequest mrz(String lines) {
        return new ReadRequest("mrz", lines);
    }

    /** Opened by a scan the agent has, by its id. */
    public static ReadRequest scan(String scanId) {
        return new ReadRequest("scan", scanId);
    }

    /** On this reader; without one, on whichever has a card. */
    public ReadRequest reader(String readerId) {
        body.addProperty("reader", readerId);
        return this;
    }

    /** Without the face, which makes the reading much shorter. */
    public ReadRequest withoutPortrait() {
        body.addProperty("portrait", false);
        return this;
    }

    /** How long to wait for a card. */
    public ReadRequest waitForCard(int seconds) {
        body.addProperty("wait_for_card_s", seconds);
        return this;
    }

    /** What the caller expects of a field: {@code number}, {@code name} or {@code birth}, or one of their hashes. */
    public ReadRequest expect(String field, String value) {
        if (!body.has("expect")) {
            body.add("expect", new JsonObject());
        }
        body.getAsJsonObject("expect").addProperty(field, value);
        return this;
    }

    /** The holder's {@code fingerprints} or {@code irises} too: it takes a scope and a certified station. */
    public ReadRequest biometrics(String kind) {
        if (!body.has("biometrics")) {
            body.add("biometrics", new JsonArray());
        }
        body.getAsJsonArray("biometrics").add(kind);
        return this;
    }

    /** Bytes in hexadecimal digits that the chip shall sign over. */
    public ReadRequest nonce(String hex) {
        body.addProperty("nonce", hex);
        return this;
    }

    /** The body of POST /v1/reads; what has no method here can be added to it. */
    public JsonObject json() {
        return body;
    }
}
