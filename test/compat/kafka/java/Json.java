/** A string as JSON, without a library. */
final class Json {
    private Json() {
    }

    static String string(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (int at = 0; at < text.length(); at++) {
            char letter = text.charAt(at);
            if (letter == '"' || letter == '\\') json.append('\\').append(letter);
            else if (letter < 0x20 || letter > 0x7e) json.append(String.format("\\u%04x", (int) letter));
            else json.append(letter);
        }
        return json.append('"').toString();
    }
}
