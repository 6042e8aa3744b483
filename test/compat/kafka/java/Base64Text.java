import java.util.Base64;
import org.apache.kafka.common.serialization.Deserializer;

/** Bytes as kafka-console-consumer may print them on one line, whatever they are: base64 between quotation marks. */
public final class Base64Text implements Deserializer<String> {
  @Override
  public String deserialize(String topic, byte[] bytes) {
    return bytes == null ? null : '"' + Base64.getEncoder().encodeToString(bytes) + '"';
  }
}
