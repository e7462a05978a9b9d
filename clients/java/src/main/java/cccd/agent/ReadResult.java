package cccd.agent;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;

/** What a reading found. The most asked for has a method; {@link #json()} has everything docs/openapi.json describes. */
public final class ReadResult {
    private final JsonObject result;

    ReadResult(JsonObject result) {
        this.result = result;
    }

    /** The reading. */
    public String readId() {
        return CccdProblem.text(result, "read_id");
    }

    /** The name, with diacritics. */
    public String name() {
        return field("name");
    }

    /** The personal number: twelve digits. */
    public String number() {
        return field("number");
    }

    /** The date of birth as the card prints it. */
    public String birth() {
        return field("birth");
    }

    /**
     * A field of the record as text, such as {@code residence}, {@code issued} or {@code father}: as stored, a date as
     * printed; null where the chip does not have it.
     */
    public String field(String name) {
        JsonElement field = member("record").get(name);
        if (field == null || !field.isJsonObject()) {
            return null;
        }
        String value = CccdProblem.text(field.getAsJsonObject(), "value");
        return value != null ? value : CccdProblem.text(field.getAsJsonObject(), "printed");
    }

    /** {@code genuine}, {@code not_genuine} or {@code unconfirmed}. */
    public String verdict() {
        return CccdProblem.text(member("verdict"), "state");
    }

    /** Whether there is a face to fetch with {@link CccdAgent#portrait}. */
    public boolean hasPortrait() {
        return result.has("portrait") && result.get("portrait").isJsonObject();
    }

    /** How the card compares with what the request expected of this field; null where it expected nothing. */
    public String expected(String field) {
        return CccdProblem.text(member("expected"), field);
    }

    /** The whole result. */
    public JsonObject json() {
        return result;
    }

    private JsonObject member(String name) {
        JsonElement member = result.get(name);
        return member != null && member.isJsonObject() ? member.getAsJsonObject() : new JsonObject();
    }
}
