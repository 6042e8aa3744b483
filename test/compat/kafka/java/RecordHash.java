import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

import org.apache.kafka.common.header.Header;

/**
 * One hash over many records, the same in Java and in record-hash.mjs:
 * offset, timestamp, key, value and headers, each length before its bytes, -1 for null, all big endian.
 */
final class RecordHash {
    private final MessageDigest digest;
    private final ByteBuffer number = ByteBuffer.allocate(8);
    private long recordCount = 0;

    RecordHash() {
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    void add(long offset, long timestamp, ByteBuffer key, ByteBuffer value, Header[] headers) {
        addLong(offset);
        addLong(timestamp);
        addBytes(key);
        addBytes(value);
        addInt(headers.length);
        for (Header header : headers) {
            addBytes(ByteBuffer.wrap(header.key().getBytes(StandardCharsets.UTF_8)));
            addBytes(header.value() == null ? null : ByteBuffer.wrap(header.value()));
        }
        recordCount++;
    }

    long recordCount() {
        return recordCount;
    }

    /** Ends the hash. */
    String hex() {
        return HexFormat.of().formatHex(digest.digest());
    }

    private void addLong(long value) {
        number.clear();
        digest.update(number.putLong(value).array(), 0, 8);
    }

    private void addInt(int value) {
        number.clear();
        digest.update(number.putInt(value).array(), 0, 4);
    }

    private void addBytes(ByteBuffer bytes) {
        addInt(bytes == null ? -1 : bytes.remaining());
        if (bytes != null) digest.update(bytes.duplicate());
    }
}
